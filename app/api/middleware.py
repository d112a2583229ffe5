"""ASGI middleware: the request's identity and accounting, and the guard of its body."""

import asyncio
import contextlib
import logging
import re
import time
import uuid
import zlib
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.problems import CLIENT_CLOSED_REQUEST, problem_response
from app.errors import BodyTimeout, BodyTooLarge, Overloaded
from app.log import request_fields, request_id, trace_id
from app.metrics import Metrics
from app.serving.fair_share import FairShare
from app.tracing import Tracing

logger = logging.getLogger(__name__)

_ACCEPTED_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
# How long a refused sender may go on before the connection is closed on it.
_LINGER_SECONDS = 1.0
# Bodies up to this size are read even if their request is refused.
_SMALL_BYTES = 512 * 1024


class RequestContext:
    """Gives each request its id, counts and logs it, and answers unforeseen errors.

    Args:
        app: the application inside.
        metrics: gets requests and durations.
        tracing: knows the request's trace.
        log_share: share of successful requests that are logged.
    """

    def __init__(
        self, app: ASGIApp, metrics: Metrics, tracing: Tracing, *, log_share: float
    ) -> None:
        self._app = app
        # Finding a series by its labels costs more than counting. Routes and statuses are few.
        self._requests = cache(metrics.requests.labels)
        self._duration = cache(metrics.request_duration.labels)
        self._tracing = tracing
        self._log_share = log_share

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one ASGI connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.monotonic()
        own_id = _request_id(scope)
        token = request_id.set(own_id)
        traceparent = self._tracing.traceparent()
        trace_token = trace_id.set(traceparent.split("-")[1] if traceparent else None)
        fields_token = request_fields.set({})
        status: int | None = None

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["x-request-id"] = own_id
                if traceparent is not None:
                    headers["traceresponse"] = traceparent
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        except Exception:
            logger.exception("unforeseen error")
            if status is not None:
                raise
            response = problem_response(
                500, "internal_error", "Internal error", "an unforeseen error; it is in the log"
            )
            await response(scope, receive, send_with_id)
        finally:
            self._account(scope, status, time.monotonic() - started)
            request_fields.reset(fields_token)
            trace_id.reset(trace_token)
            request_id.reset(token)

    def _account(self, scope: Scope, status: int | None, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "unmatched")
        # Without a status the client left before there was one.
        self._requests(route, str(status or CLIENT_CLOSED_REQUEST)).inc()
        self._duration(route).observe(seconds)
        succeeded = status is not None and status < HTTPStatus.BAD_REQUEST
        if succeeded and not _is_sampled(request_id.get() or "", self._log_share):
            return
        level = logging.INFO if scope["method"] == "POST" else logging.DEBUG
        outcome = "ok" if succeeded else "client_left"
        own = {"route": route, "status": status, "duration_ms": round(seconds * 1000, 3)}
        logger.log(
            level, "request", extra={"outcome": outcome} | (request_fields.get() or {}) | own
        )


def _is_sampled(identity: str, share: float) -> bool:
    """Chosen by the request's id, so that every service on its way chooses the same requests."""
    return zlib.crc32(identity.encode()) < share * 2**32


def _request_id(scope: Scope) -> str:
    offered = Headers(scope=scope).get("x-request-id", "")
    return offered if _ACCEPTED_ID.fullmatch(offered) else uuid.uuid4().hex


class SecurityHeaders:
    """Adds to every response what keeps a browser from misusing it.

    Args:
        app: the application inside.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one ASGI connection."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["x-content-type-options"] = "nosniff"
                if headers.get("content-type", "").startswith("text/html"):
                    # The API reference has its script and style inline.
                    headers["content-security-policy"] = (
                        "default-src 'self'; script-src 'self' 'unsafe-inline';"
                        " style-src 'self' 'unsafe-inline'; img-src 'self' data:;"
                        " frame-ancestors 'none'"
                    )
                    headers["referrer-policy"] = "no-referrer"
            await send(message)

        await self._app(scope, receive, send_with_headers)


@dataclass(slots=True)
class _Body:
    """How far a request's body has come in."""

    received: int = 0
    complete: bool = False


class BodyGuard:
    """Bounds request bodies: the size of one, of all at once, and the time one may take.

    A body over the limit is refused as soon as that is known: by its Content-Length before any
    of it is read, else while it streams in. A response that goes out before its request's body
    is all in closes the connection, but only after the sender had a moment to read it: closing
    at once would reset the connection and could lose the response on its way.

    Args:
        app: the application inside.
        metrics: gets the refusals for want of room.
        max_bytes: largest body.
        max_buffered_bytes: bytes of all bodies that are being received or worked on; shared
            fairly between client addresses.
        timeout_seconds: longest time from the request's headers to the end of its body.
    """

    def __init__(
        self,
        app: ASGIApp,
        metrics: Metrics,
        *,
        max_bytes: int,
        max_buffered_bytes: int,
        timeout_seconds: float,
    ) -> None:
        self._app = app
        self._rejected = metrics.rejected.labels("buffered_bytes")
        self._max_bytes = max_bytes
        self._buffered = FairShare(max_buffered_bytes)
        self._timeout_seconds = timeout_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one ASGI connection."""
        headers = Headers(scope=scope) if scope["type"] == "http" else Headers()
        declared = int(headers.get("content-length", "0"))
        if not declared and "transfer-encoding" not in headers:
            await self._app(scope, receive, send)
            return
        client = scope["client"][0] if scope.get("client") else "unknown"
        body = _Body()
        deadline = asyncio.get_running_loop().time() + self._timeout_seconds

        async def guarded_receive() -> Message:
            if body.complete:
                return await receive()
            if declared > self._max_bytes:
                raise self._too_large(declared)
            try:
                async with asyncio.timeout_at(deadline):
                    message = await receive()
            except TimeoutError:
                raise BodyTimeout(
                    f"the body was not complete within {self._timeout_seconds:g} s"
                ) from None
            size = len(message.get("body", b""))
            if not self._buffered.fits(size, client):
                self._rejected.inc()
                raise Overloaded("too many bytes of request bodies are being received")
            self._buffered.take(size, client)
            body.received += size
            body.complete = not message.get("more_body", False)
            if body.received > self._max_bytes:
                raise self._too_large(body.received)
            return message

        async def guarded_send(message: Message) -> None:
            if (
                message["type"] == "http.response.start"
                and 0 < declared <= _SMALL_BYTES
                and not body.complete
                and "expect" not in headers
            ):
                # It is here or about to be. Reading it keeps the connection, which a refused
                # client needs for its next try.
                body.complete = await _discard(receive, _SMALL_BYTES)
            if body.complete:
                await send(message)
            elif message["type"] == "http.response.start":
                MutableHeaders(scope=message)["connection"] = "close"
                await send(message)
            elif message.get("more_body", False) or "expect" in headers:
                # Reading on would ask a sender that waits for "100 Continue" to begin.
                await send(message)
            else:
                await send({**message, "more_body": True})
                await _discard(receive, self._max_bytes)
                await send({"type": "http.response.body", "body": b""})

        try:
            await self._app(scope, guarded_receive, guarded_send)
        finally:
            self._buffered.give_back(body.received, client)

    def _too_large(self, size: int) -> BodyTooLarge:
        return BodyTooLarge(f"{size} bytes or more; at most {self._max_bytes} are accepted")


async def _discard(receive: Receive, max_bytes: int) -> bool:
    """Reads on without keeping anything, for a moment and up to `max_bytes`.

    Returns:
        Whether the body came to its end.
    """
    discarded = 0
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_LINGER_SECONDS):
            while discarded <= max_bytes:
                message = await receive()
                discarded += len(message.get("body", b""))
                if not message.get("more_body", False):
                    return bool(message["type"] == "http.request")
    return False
