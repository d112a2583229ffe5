"""What a store's library raises, as errors of ours."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus

from app.contract.errors import ConfigurationError, SenetError, StoreUnavailable

_OPTION = "model_repository"
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_LONGEST = 300
_ABSENT = (HTTPStatus.NOT_FOUND, HTTPStatus.GONE)
_DENIED = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)


@contextmanager
def reading(where: str) -> Iterator[None]:
    """Around what asks a store.

    Args:
        where: what is asked for, for messages.

    Raises:
        ConfigurationError: in place of what the block raises, if asking again does not help.
        StoreUnavailable: if it may.
    """
    try:
        yield
    except (SenetError, ImportError):
        raise
    except Exception as error:
        # The libraries' own exceptions share no base class below Exception.
        chain = _chain(error)
        told = " ".join(str(chain[-1]).split())[:_LONGEST] or type(chain[-1]).__name__
        if is_absent(error):
            raise ConfigurationError(
                _OPTION, f"{where} is not there", "copy the model there, or name another"
            ) from error
        if any(_is_about_access(link) for link in chain):
            raise ConfigurationError(
                _OPTION,
                f"{where} denies access ({told})",
                "give the store's own variables for credentials, and allow reading; where it does"
                " not list, name versions: name:version",
            ) from error
        raise StoreUnavailable(
            _OPTION, f"{where} cannot be read now ({told})", "try again, or look at the store"
        ) from error


@contextmanager
def writing(where: object) -> Iterator[None]:
    """Around what writes copies on this machine.

    Args:
        where: the folder, for messages.

    Raises:
        ConfigurationError: in place of what the system refuses.
    """
    try:
        yield
    except OSError as error:
        is_full = error.errno in _FULL
        raise ConfigurationError(
            "cache_directory",
            f"no space is left to copy a model to {where}; nothing of it was kept"
            if is_full
            else f"{where} cannot be written ({error.strerror or error})",
            f"{'free some space, or set' if is_full else 'set'} --cache-directory"
            " (SENET_CACHE_DIRECTORY) to a folder that can hold it",
        ) from error


def is_absent(error: BaseException) -> bool:
    """Whether an exception says that something is not there, and not that nobody answered.

    fsspec says "not found" of web servers that do not answer, too; the cause tells.
    """
    return isinstance(error, FileNotFoundError) and not any(map(_is_outage, _chain(error)))


def _is_outage(error: BaseException) -> bool:
    if isinstance(error, FileNotFoundError) or _status(error) in _ABSENT:
        return False
    return isinstance(error, OSError) or type(error).__module__.startswith("aiohttp")


def _is_about_access(error: BaseException) -> bool:
    return (
        isinstance(error, PermissionError)
        or "Credential" in type(error).__name__
        or _status(error) in _DENIED
    )


def _status(error: BaseException) -> int | None:
    """The HTTP status code behind an exception, as far as it has one."""
    status = getattr(error, "status", None)
    return status if isinstance(status, int) else None


def _chain(error: BaseException | None) -> list[BaseException]:
    """The exception, what it was raised from, and so on."""
    chain: list[BaseException] = []
    while error is not None and error not in chain:
        chain.append(error)
        error = error.__cause__
    return chain
