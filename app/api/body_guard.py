"""ASGI middleware that bounds request bodies."""

import asyncio
import contextlib
from dataclasses import dataclass

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import BodyTimeout, BodyTooLarge, Overloaded
from app.metrics import Metrics
from app.serving.fair_share import FairShare

# How long a refused sender may go on before the connection is closed on it.
_LINGER_SECONDS = 1.0
# Bodies up to this size are read even if their request is refused, if they come at once.
_SMALL_BYTES = 512 * 1024
_MOMENT_SECONDS = 0.05


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
                # It may be here already. Reading it keeps the connection, which a refused client
                # needs for its next try.
                body.complete = await _discard(receive, _SMALL_BYTES, _MOMENT_SECONDS)
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
                await _discard(receive, self._max_bytes, _LINGER_SECONDS)
                await send({"type": "http.response.body", "body": b""})

        try:
            await self._app(scope, guarded_receive, guarded_send)
        finally:
            self._buffered.give_back(body.received, client)

    def _too_large(self, size: int) -> BodyTooLarge:
        return BodyTooLarge(f"{size} bytes or more; at most {self._max_bytes} are accepted")


async def _discard(receive: Receive, max_bytes: int, seconds: float) -> bool:
    """Reads on without keeping anything, for so long and up to `max_bytes`.

    Returns:
        Whether the body came to its end.
    """
    discarded = 0
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while discarded <= max_bytes:
                message = await receive()
                discarded += len(message.get("body", b""))
                if not message.get("more_body", False):
                    return bool(message["type"] == "http.request")
    return False
