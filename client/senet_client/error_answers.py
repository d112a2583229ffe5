"""The service's wire format of errors. Does no input or output."""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from senet_client import errors
from senet_client.errors import SenetClientError, ServiceError, UnexpectedAnswer
from senet_client.members import member


def parse_error(response: httpx.Response, now: datetime | None = None) -> SenetClientError:
    """The error that a response of another status than 200 tells of.

    Args:
        response: the response, its body read.
        now: for a `Retry-After` that is a date; the current time by default.
    """
    problem = _problem(response)
    if problem is None:
        return _foreign_error(response)
    code = str(problem["code"])
    if code in ("not_found", "method_not_allowed"):
        return UnexpectedAnswer(
            f"{response.url} is not part of its API; is the base URL that of the service, and does"
            " the service speak this client's API?"
        )
    error = _named(code, f"{problem.get('title', code)}: {problem.get('detail', '')}")
    error.request_id = problem.get("request_id")
    if isinstance(error, ServiceError):
        error.status = response.status_code
        error.retry_after_seconds = _retry_after(response, now or datetime.now(UTC))
    return error


def _problem(response: httpx.Response) -> dict[str, Any] | None:
    try:
        body = response.json()
    except ValueError:
        return None
    return body if isinstance(body, dict) and isinstance(body.get("code"), str) else None


def _foreign_error(response: httpx.Response) -> SenetClientError:
    """An error that a proxy or another service answered."""
    status = response.status_code
    message = f"{response.url} answered {status} {response.reason_phrase}"
    if status == httpx.codes.BAD_GATEWAY:
        return errors.ConnectionFailed(f"{message}: no service behind the gateway")
    if status in (httpx.codes.TOO_MANY_REQUESTS, httpx.codes.SERVICE_UNAVAILABLE):
        error = errors.Unavailable(message)
        error.code = "unavailable"
        error.status = status
        error.retry_after_seconds = _retry_after(response, datetime.now(UTC))
        return error
    if status == httpx.codes.GATEWAY_TIMEOUT:
        return errors.TimedOut(message)
    return UnexpectedAnswer(f"{message}, which is not an answer of the service's API")


def _named(code: str, message: str) -> SenetClientError:
    kind = errors.BY_CODE.get(code, ServiceError)
    error = kind(message)
    error.code = code
    return error


def _retry_after(response: httpx.Response, now: datetime) -> float | None:
    """`Retry-After` in seconds, whether it came as seconds or as a date (RFC 9110, 10.2.3)."""
    text = response.headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, (date.replace(tzinfo=date.tzinfo or UTC) - now).total_seconds())


def parse_item_error(item: Mapping[str, Any]) -> SenetClientError:
    """The error of one of several items."""
    told = member(item, "error", dict)
    return _named(member(told, "code", str), f"{told.get('title')}: {told.get('detail')}")
