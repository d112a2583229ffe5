"""uvicorn's HTTP/1.1 protocol with the bounds it lacks: connections, size and time of a head."""

import asyncio
import json
from http import HTTPStatus
from typing import ClassVar

from starlette.types import Scope

from app.early_answers import EarlyAnswer, EarlyAnswers


class BoundedHttpProtocol(EarlyAnswers):
    """Refuses connections over a limit, and heads that are too long or too slow.

    A refusal ends the connection, but waits its turn: the answers to requests that came before,
    whole, on the same connection go out first.

    Subclass it with the limits set, those of `EarlyAnswers` as well: uvicorn makes its protocols
    itself.

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
    _may_be_too_long = False
    _head_deadline: asyncio.TimerHandle | None = None
    _refusal: bytes | None = None
    _has_refused = False

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
        self._has_refused = False
        self._may_be_too_long = self._head_bytes + len(data) > self.max_head_bytes
        if self.transport.is_closing() or self._refusal is not None:
            return
        super().data_received(data)
        if self._in_head and self._refusal is None and not self.transport.is_closing():
            self._head_bytes += len(data)
            if self._head_bytes > self.max_head_bytes:
                self._refuse_long_head()
            elif self._head_deadline is None:
                self._start_clock()

    def on_message_begin(self) -> None:
        """A head begins; most come whole, and need no clock."""
        super().on_message_begin()
        self._in_head = True
        self._head_bytes = 0

    def on_headers_complete(self) -> None:
        """A head is complete; it starts a request if it is not too long."""
        self._in_head = False
        self._stop_clock()
        if self._may_be_too_long and self._head_size() > self.max_head_bytes:
            self._refuse_long_head()
        elif not self.transport.is_closing():
            if (refusal := self._refusal_at_door()) is None:
                super().on_headers_complete()
            else:
                self.answer_early(refusal)

    def on_response_complete(self) -> None:
        """An answer is out; a refusal that waited for the last one follows it."""
        was_last = not self.pipeline
        super().on_response_complete()
        if was_last and self._refusal is not None:
            self._end_with(self._refusal)

    def refusal(self, scope: Scope) -> EarlyAnswer | None:
        """The answer to a request that the application need not see, or None; to be overridden.

        Args:
            scope: with `method`, `raw_path`, `query_string`, `headers` and `client`.
        """
        return None

    def send_400_response(self, msg: str) -> None:
        """Answers what is no HTTP."""
        self._refuse(400, "malformed_request", msg)

    def _refusal_at_door(self) -> EarlyAnswer | None:
        """The answer to a request that the application need not see.

        Not while an answer is due or unread, and to one request of each read: what a client sends
        at once must not keep the event loop from others.
        """
        if (
            self._has_refused
            or self.flow.write_paused
            or self.expect_100_continue
            or not self.parser.should_keep_alive()
            or not (self.cycle is None or self.cycle.response_complete)
        ):
            return None
        path, _, query = self.url.partition(b"?")
        refusal = self.refusal(
            {
                "type": "http", "method": self.parser.get_method().decode("ascii"),
                "raw_path": path, "query_string": query, "headers": self.headers,
                "client": self.client,
            }
        )  # fmt: skip
        self._has_refused = refusal is not None
        return refusal

    def _head_size(self) -> int:
        return len(self.url) + sum(len(name) + len(value) for name, value in self.headers)

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
        """Answers outside of any request, in its turn, and closes."""
        if self.transport.is_closing() or self._refusal is not None:
            return
        self._stop_clock()
        refusal = _refusal(status, code, detail)
        cycle = self.cycle
        if self.awaits_rest:
            self.transport.close()  # its request has had its answer
        elif cycle is None or cycle.response_complete:
            self._end_with(refusal)
        elif not cycle.more_body:
            self._refusal = refusal
        elif self.pipeline:
            # Broken in its own body, before its turn came.
            self.pipeline.popleft()
            self._refusal = refusal
        else:
            self._end_with(b"" if cycle.response_started else refusal)

    def _end_with(self, refusal: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(refusal)
            self.transport.close()


def _refusal(status: int, code: str, detail: str) -> bytes:
    """A whole response with a problem."""
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
    return head.encode() + body
