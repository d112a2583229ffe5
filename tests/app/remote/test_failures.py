"""What a store's library raises is told as what an operator can do something about."""

import pytest

from app.contract.errors import ConfigurationError, Draining, StoreUnavailable
from app.remote.failures import reading


class ResponseError(Exception):
    """As libraries have them: with an HTTP status code."""

    def __init__(self, status: int) -> None:
        super().__init__(f"status {status}")
        self.status = status


ResponseError.__module__ = "aiohttp.client_exceptions"


class NoCredentialsError(Exception):
    """As botocore has it."""


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "told", "may_pass"),
    [
        (FileNotFoundError("x"), "is not there", False),
        (caused(FileNotFoundError("x"), ResponseError(404)), "is not there", False),
        (caused(FileNotFoundError("x"), ResponseError(403)), "denies access", False),
        (caused(FileNotFoundError("x"), ResponseError(503)), "cannot be read now", True),
        (caused(FileNotFoundError("x"), ConnectionRefusedError("r")), "cannot be read now", True),
        (caused(FileNotFoundError("x"), ValueError("NoSuchKey")), "is not there", False),
        (PermissionError("no"), "denies access (no)", False),
        (NoCredentialsError("none"), "denies access (none)", False),
        (ConnectionResetError("r"), "cannot be read now (r)", True),
        (TimeoutError("no answer"), "cannot be read now (no answer)", True),
        (RuntimeError(), "cannot be read now (RuntimeError)", True),
        (RuntimeError("a\nb" + "x" * 9999), "cannot be read now (a bx", True),
    ],
)
def test_failures(error: Exception, told: str, may_pass: bool) -> None:
    with pytest.raises(ConfigurationError) as raised, reading("s3://bucket/models"):
        raise error
    assert raised.value.cause.startswith(f"s3://bucket/models {told}")
    assert isinstance(raised.value, StoreUnavailable) == may_pass
    assert len(str(raised.value)) < 600


def test_errors_of_ours_stay_what_they_are() -> None:
    with pytest.raises(Draining), reading("s3://bucket/models"):
        raise Draining("the service is shutting down")
