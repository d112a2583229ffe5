"""ASGI middleware that bounds request bodies."""

import asyncio

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.contract.errors import BodyTimeout, BodyTooLarge, Overloaded
from app.inference.fair_share import FairShare
from app.pace import Pace
from app.telemetry.metrics import Metrics


class BodyGuard:
    """Bounds request bodies: the size of one, of all at once, and the time one may take.

    A body over the limit is refused as soon as that is known: by its Content-Length before any
    of it is read, else while it streams in. What still comes after an answer is the protocol's to
    discard, see `app.transport.http.early_answers`.

    Args:
        app: the application inside.
        metrics: gets the refusals for want of room.
        max_bytes: largest body.
        max_buffered_bytes: bytes of all bodies that are being received or worked on; shared
            fairly between client addresses.
        pace: how slowly a body may come, from its request's headers on.
    """

    def __init__(
        self,
        app: ASGIApp,
        metrics: Metrics,
        *,
        max_bytes: int,
        max_buffered_bytes: int,
        pace: Pace,
    ) -> None:
        self._app = app
        self._rejected = metrics.rejected.labels("buffered_bytes")
        self._max_bytes = max_bytes
        self._buffered = FairShare(max_buffered_bytes)
        self._pace = pace

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one ASGI connection."""
        headers = Headers(scope=scope) if scope["type"] == "http" else Headers()
        declared = int(headers.get("content-length", "0"))
        if not declared and "transfer-encoding" not in headers:
            await self._app(scope, receive, send)
            return
        client = scope["client"][0] if scope.get("client") else "unknown"
        began = asyncio.get_running_loop().time()
        received = 0
        complete = False

        async def guarded_receive() -> Message:
            nonlocal received, complete
            if complete:
                return await receive()
            if declared > self._max_bytes:
                raise self._too_large(declared)
            try:
                async with asyncio.timeout_at(began + self._pace.seconds(received)):
                    message = await receive()
            except TimeoutError:
                raise BodyTimeout(
                    f"{received} bytes of the body came; after {self._pace.grace_seconds:g} s at"
                    f" least {self._pace.bytes_per_second:g} bytes a second are expected"
                ) from None
            size = len(message.get("body", b""))
            if not self._buffered.fits(size, client):
                self._rejected.inc()
                raise Overloaded("too many bytes of request bodies are being received")
            self._buffered.take(size, client)
            received += size
            complete = not message.get("more_body", False)
            if received > self._max_bytes:
                raise self._too_large(received)
            return message

        async def send_and_close(message: Message) -> None:
            # Nobody can know whether the sender, which was not told to go on, does so anyway.
            if message["type"] == "http.response.start" and not received:
                MutableHeaders(scope=message)["connection"] = "close"
            await send(message)

        try:
            await self._app(scope, guarded_receive, send_and_close if "expect" in headers else send)
        finally:
            if received:
                self._buffered.give_back(received, client)

    def _too_large(self, size: int) -> BodyTooLarge:
        return BodyTooLarge(f"{size} bytes or more; at most {self._max_bytes} are accepted")
