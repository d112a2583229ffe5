"""ASGI middleware: the request's identity and accounting, and headers for browsers."""

import logging
import time
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.telemetry.log import request_fields, request_id, trace_id
from app.telemetry.tracing import Tracing
from app.transport.http.problems import internal_error
from app.transport.http.request_log import RequestLog, identity

logger = logging.getLogger(__name__)

NO_SNIFFING = (b"x-content-type-options", b"nosniff")
"""The header that every response has."""

_POLICY = b"content-security-policy"
# The API reference has its script and style inline.
_PAGE_POLICY = (
    b"default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline';"
    b" img-src 'self' data:; frame-ancestors 'none'"
)
_NO_REFERRER = (b"referrer-policy", b"no-referrer")


class RequestContext:
    """Gives each request its id, has it logged, and answers unexpected errors.

    Args:
        app: the application inside.
        log: notes the requests.
        tracing: knows the request's trace.
    """

    def __init__(self, app: ASGIApp, log: RequestLog, tracing: Tracing) -> None:
        self._app = app
        self._log = log
        self._tracing = tracing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one ASGI connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.monotonic()
        own_id = identity(scope["headers"])
        token = request_id.set(own_id)
        traceparent = self._tracing.traceparent()
        trace_token = trace_id.set(traceparent.split("-")[1] if traceparent else None)
        fields = self._log.first_fields(scope)
        fields_token = request_fields.set(fields)
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
            logger.exception("unexpected error")
            if status is not None:
                raise
            await internal_error()(scope, receive, send_with_id)
        finally:
            self._log.note(
                scope["method"],
                getattr(scope.get("route"), "path", "unmatched"),
                status,
                time.monotonic() - started,
                fields,
            )
            request_fields.reset(fields_token)
            trace_id.reset(trace_token)
            request_id.reset(token)


class HeadAsGet:
    """Answers HEAD wherever GET is answered (RFC 9110, 9.3.2); the server leaves the body out.

    Args:
        app: the application inside.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one ASGI connection."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return
        inside = {**scope, "method": "GET"}
        try:
            await self._app(inside, receive, send)
        finally:
            if "route" in inside:  # for whoever counts requests by route
                scope["route"] = inside["route"]


class SecurityHeaders:
    """Adds to every response what keeps a browser from misusing it.

    A redirect stays on the host that was asked, whatever the request's Host header says: all of
    them lead from one path of the service to another.

    Args:
        app: the application inside.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one ASGI connection."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = [_without_host(header) for header in message["headers"]]
                headers.append(NO_SNIFFING)
                if any(
                    name == b"content-type" and value.startswith(b"text/html")
                    for name, value in headers
                ):
                    headers.append(_NO_REFERRER)
                    if not any(name == _POLICY for name, _ in headers):
                        headers.append((_POLICY, _PAGE_POLICY))
                message["headers"] = headers
            await send(message)

        await self._app(scope, receive, send_with_headers)


def _without_host(header: tuple[bytes, bytes]) -> tuple[bytes, bytes]:
    name, value = header
    if name != b"location":
        return header
    return name, urlsplit(value)._replace(scheme=b"", netloc=b"").geturl()
