"""ASGI middleware: the request's identity and accounting, and headers for browsers."""

import logging
import re
import secrets
import time
import zlib
from functools import cache
from http import HTTPStatus

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.problems import CLIENT_CLOSED_REQUEST, problem_response
from app.log import request_fields, request_id, trace_id
from app.metrics import Metrics
from app.tracing import Tracing

logger = logging.getLogger(__name__)

_ACCEPTED_ID = re.compile(rb"[A-Za-z0-9._-]{1,128}")
_NO_SNIFFING = (b"x-content-type-options", b"nosniff")
# The API reference has its script and style inline.
_PAGE_POLICY = (
    b"default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline';"
    b" img-src 'self' data:; frame-ancestors 'none'"
)
_FOR_PAGES = (
    (b"content-security-policy", _PAGE_POLICY),
    (b"referrer-policy", b"no-referrer"),
)


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
                headers = [*message["headers"], (b"x-request-id", own_id.encode())]
                if traceparent is not None:
                    headers.append((b"traceresponse", traceparent.encode()))
                message["headers"] = headers
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
        if not logger.isEnabledFor(level):
            return
        outcome = "ok" if succeeded else "client_left"
        own = {"route": route, "status": status, "duration_ms": round(seconds * 1000, 3)}
        logger.log(
            level, "request", extra={"outcome": outcome} | (request_fields.get() or {}) | own
        )


def _is_sampled(identity: str, share: float) -> bool:
    """Chosen by the request's id, so that every service on its way chooses the same requests."""
    return zlib.crc32(identity.encode()) < share * 2**32


def _request_id(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _ACCEPTED_ID.fullmatch(value):
            return str(value, "ascii")
    return secrets.token_hex(16)


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
                headers = [*message["headers"], _NO_SNIFFING]
                if any(name == b"content-type" and value.startswith(b"text/html")
                       for name, value in headers):  # fmt: skip
                    headers.extend(_FOR_PAGES)
                message["headers"] = headers
            await send(message)

        await self._app(scope, receive, send_with_headers)
