"""uvicorn's HTTP/1.1 protocol with the bounds it lacks: connections, size and time of a head."""

import asyncio
import json
from http import HTTPStatus
from typing import ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class BoundedHttpProtocol(HttpToolsProtocol):
    """Refuses connections over a limit, and heads that are too long or too slow.

    Subclass it with the three limits set: uvicorn makes its protocols itself.

    Attributes:
        max_connections: open connections; further ones get 503.
        max_head_bytes: request line and headers; longer ones get 431.
        head_timeout_seconds: from the first byte (or, on a new connection, from its opening) to
            the end of the head; slower ones get 408.
    """

    max_connections: ClassVar[int]
    max_head_bytes: ClassVar[int]
    head_timeout_seconds: ClassVar[float]

    _head_bytes = 0
    _in_head = False
    _head_deadline: asyncio.TimerHandle | None = None

    def connection_made(  # type: ignore[override]  # uvicorn narrows the transport as well
        self, transport: asyncio.Transport
    ) -> None:
        """Starts the clock for the first head, or refuses the connection."""
        super().connection_made(transport)
        if len(self.connections) > self.max_connections:
            self._refuse(503, "not_ready", f"{self.max_connections} connections are open")
        else:
            self._start_clock()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stops the clock."""
        self._stop_clock()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Feeds the parser while the head is within its bounds."""
        if self.transport.is_closing():
            return
        super().data_received(data)
        if self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > self.max_head_bytes:
                self._refuse_long_head()

    def on_message_begin(self) -> None:
        """A head begins."""
        super().on_message_begin()
        self._in_head = True
        self._head_bytes = 0
        if self._head_deadline is None:
            self._start_clock()

    def on_headers_complete(self) -> None:
        """A head is complete; it starts a request if it is not too long."""
        self._in_head = False
        self._stop_clock()
        size = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        if size > self.max_head_bytes:
            self._refuse_long_head()
        elif not self.transport.is_closing():
            super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """Answers what is no HTTP."""
        self._refuse(400, "malformed_request", msg)

    def _refuse_long_head(self) -> None:
        self._refuse(
            431, "head_too_large", f"at most {self.max_head_bytes} bytes of head are accepted"
        )

    def _start_clock(self) -> None:
        self._head_deadline = self.loop.call_later(self.head_timeout_seconds, self._too_slow)

    def _stop_clock(self) -> None:
        if self._head_deadline is not None:
            self._head_deadline.cancel()
            self._head_deadline = None

    def _too_slow(self) -> None:
        if self._in_head:
            self._refuse(408, "head_timeout", "the request's head arrived too slowly")
        else:
            self.transport.close()

    def _refuse(self, status: int, code: str, detail: str) -> None:
        """Answers outside of any request, and closes."""
        if self.transport.is_closing():
            return
        if self.cycle is not None and not self.cycle.response_complete:
            # The answer to an earlier, pipelined request is on its way: this one has no place.
            self.transport.close()
            return
        phrase = HTTPStatus(status).phrase
        problem = {
            "type": f"/problems/{code}", "title": phrase, "status": status, "detail": detail,
            "code": code, "request_id": None,
        }  # fmt: skip
        body = json.dumps(problem).encode()
        head = (
            f"HTTP/1.1 {status} {phrase}\r\ncontent-type: application/problem+json\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()
