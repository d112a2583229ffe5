"""Calls as they arrive: who sends them, how they end, and what is left of them in the log."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import unquote

import grpc
from google.protobuf.message import Message
from grpc.aio import ServicerContext

from app.contract.errors import RequestError
from app.telemetry.log import annotate, request_fields, request_id
from app.transport.grpc.statuses import http_status, status_code, trailing
from app.transport.http.request_log import RequestLog, identity

logger = logging.getLogger(__name__)

Context = ServicerContext[Any, Any]
"""The library's side of a call."""

_ID = b"x-request-id"
# What of the metadata is read. Everything else is the client's own, or the library's.
_READ = ("authorization", "x-api-key", "x-request-id")
_DEADLINE_PASSED = 504


class Call:
    """One call, from its head.

    Attributes:
        context: the library's.
        id: the request's.
        started: when its head was in, on the monotonic clock in seconds.
        deadline: the client's, on the same clock; None without one.
        scope: its head, as a connection of ASGI has it.
    """

    def __init__(self, context: Context) -> None:
        self.context = context
        self.started = time.monotonic()
        seconds = context.time_remaining()
        self.deadline = None if seconds is None else self.started + seconds
        given = context.invocation_metadata() or ()
        headers = [
            (name.encode(), value.encode() if isinstance(value, str) else value)
            for name, value in given
            if name in _READ
        ]
        self.id = identity(headers)
        headers = [header for header in headers if header[0] != _ID]
        self.scope: dict[str, Any] = {
            "type": "http",
            "method": "POST",
            "client": _client(context.peer()),
            "query_string": b"",
            "headers": [*headers, (_ID, self.id.encode())],
            "state": {},
        }

    @property
    def is_late(self) -> bool:
        """Whether its deadline has passed."""
        return self.deadline is not None and time.monotonic() >= self.deadline


Handle = Callable[[Call], Awaitable[Message]]
"""Answers a call; raises `RequestError`."""


class Calls:
    """Gives each call its id, has it logged, and tells errors as gRPC does.

    Args:
        log: notes the calls.
    """

    def __init__(self, log: RequestLog) -> None:
        self._log = log

    def handler(
        self, route: str, handle: Handle, *, is_post: bool
    ) -> "grpc.RpcMethodHandler[Any, Any]":
        """Handles the calls of one method.

        On the wire a single message is a stream of one. Taken as that it is not read before the
        call's head has been looked at.

        Args:
            route: the method's path.
            handle: answers a call; raises `RequestError`.
            is_post: whether its successful calls are logged.
        """

        async def answer(_: object, context: Context) -> bytes:
            call = Call(context)
            request_id.set(call.id)
            fields = self._log.first_fields(call.scope)
            request_fields.set(fields)
            status: int | None = None
            try:
                message = await handle(call)
                status = 200
                return bytes(message.SerializeToString())
            except RequestError as error:
                status = http_status(error)
                annotate(outcome=error.code)
                _refuse(call, status_code(error), str(error), trailing(error))
            except asyncio.CancelledError:
                status = _DEADLINE_PASSED if call.is_late else None
                raise
            except Exception:
                status = 500
                annotate(outcome="internal_error")
                logger.exception("unexpected error")
                detail = "an unexpected error; it is in the log"
                _refuse(call, grpc.StatusCode.INTERNAL, detail, [])
            finally:
                method = "POST" if is_post else "GET"
                self._log.note(method, route, status, time.monotonic() - call.started, fields)
            return b""  # which the library leaves out

        return grpc.stream_unary_rpc_method_handler(answer)


def _refuse(call: Call, code: grpc.StatusCode, detail: str, fields: list[tuple[str, str]]) -> None:
    """Ends a call with an error.

    Not by the library's `abort`: its exception would keep this one, and with it the message, until
    the garbage collector comes.
    """
    call.context.set_code(code)
    call.context.set_details(detail)
    call.context.set_trailing_metadata((("x-request-id", call.id), *fields))


def _client(peer: str) -> tuple[str, int] | None:
    """Address and port of what the library calls `ipv4:127.0.0.1:80` or `ipv6:%5B::1%5D:80`."""
    kind, _, place = unquote(peer).partition(":")
    if kind not in ("ipv4", "ipv6"):
        return None
    address, _, port = place.rpartition(":")
    return address.strip("[]"), int(port)
