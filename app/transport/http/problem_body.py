"""The body of every error response (RFC 9457), made in one place."""

import random
import re
from collections.abc import Iterable
from http import HTTPStatus

import orjson
from typing_extensions import TypedDict

PROBLEM_TYPE = "application/problem+json"

_ACCEPTED_ID = re.compile(rb"[A-Za-z0-9._-]{1,128}")


class Problem(TypedDict):
    """The body of every error response (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str | None


def make_problem(status: int, code: str, title: str, detail: str, own_id: str | None) -> Problem:
    """Puts a problem together."""
    return Problem(
        type=f"/problems/{code}",
        title=title,
        status=status,
        detail=detail,
        code=code,
        request_id=own_id,
    )


def problem_body(status: int, code: str, title: str, detail: str, own_id: str | None) -> bytes:
    """The JSON of a problem."""
    return orjson.dumps(make_problem(status, code, title, detail, own_id))


def last_answer(status: int, code: str, title: str, detail: str, own_id: str) -> bytes:
    """A whole response with a problem, as it goes over the wire, that ends its connection."""
    body = problem_body(status, code, title, detail, own_id)
    head = (
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\ncontent-type: {PROBLEM_TYPE}\r\n"
        f"content-length: {len(body)}\r\nconnection: close\r\nx-request-id: {own_id}\r\n"
        "x-content-type-options: nosniff\r\n"
    )
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        head += "retry-after: 1\r\n"
    return head.encode() + b"\r\n" + body


def identity(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """The request's id: the one it brings, if that is harmless, or a new one."""
    for name, value in headers:
        if name == b"x-request-id" and _ACCEPTED_ID.fullmatch(value):
            return value.decode("ascii")
    # Unique is enough, and the system's own random bytes cost a system call.
    return f"{random.getrandbits(128):032x}"
