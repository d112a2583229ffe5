"""uvicorn's HTTP/1.1 protocol with the bounds it lacks."""

import asyncio
import json
from http import HTTPStatus
from typing import ClassVar

import httptools
from starlette.types import Scope

from app.pace import Pace
from app.transport.http.early_answers import EarlyAnswer, EarlyAnswers
from app.transport.http.request_head import RefusedHead, content_length
from app.transport.http.unread_answer import UnreadAnswer

# For clients that have been refused, and for those who are slow when the service stops.
_LINGER_SECONDS = 2.0

CLIENT_LEFT = "client_left"
"""Under this name the state of a request's scope may hold what to call when its client leaves."""


class BoundedHttpProtocol(EarlyAnswers):
    """Bounds what a client can make a connection hold, in bytes and in time.

    Refused are connections over a limit, heads that are too long or too slow, heads that break
    the rules of HTTP (see `app.transport.http.request_head`), and bodies that are mostly
    framing. A client that does not read its answer is left. A refusal ends the connection.

    Subclass it with the limits set, those of its bases as well: uvicorn makes its protocols
    itself.

    Attributes:
        max_connections: open connections; further ones get 503.
        max_head_bytes: request line and headers; longer ones get 431. What frames a body (sizes
            and extensions of chunks, trailers) may take as much, and as much as its content.
        head_timeout_seconds: from the first byte (or, on a new connection, from its opening) to
            the end of the head; slower ones get 408.
    """

    max_connections: ClassVar[int]
    max_head_bytes: ClassVar[int]
    head_timeout_seconds: ClassVar[float]
    _head_deadline: asyncio.TimerHandle | None = None
    _unread_answer: UnreadAnswer
    _linger: asyncio.TimerHandle | None = None

    def connection_made(  # type: ignore[override]  # uvicorn narrows the transport as well
        self, transport: asyncio.Transport
    ) -> None:
        """Starts the clock for the first head, or refuses the connection."""
        super().connection_made(transport)
        self._unread_answer = UnreadAnswer(transport, self.loop)
        # Writing is paused, and so the clock runs, while anything waits for the client.
        transport.set_write_buffer_limits(high=1, low=0)
        if len(self.connections) > self.max_connections:
            detail = f"{self.max_connections} connections are open"
            self.stop_reading()
            transport.write(self._tell(503, "not_ready", detail))
            transport.close()
        else:
            self._start_clock()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stops the clocks."""
        self._stop_clock()
        self._unread_answer.stop()
        if self._linger is not None:
            self._linger.cancel()
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete:
            cycle.scope["state"].get(CLIENT_LEFT, _nothing)()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """The client has not taken all of an answer yet."""
        super().pause_writing()
        is_ending = self._linger is not None
        self._unread_answer.start(self._hurried() if is_ending else self.body_pace)

    def resume_writing(self) -> None:
        """The client has an answer."""
        super().resume_writing()
        self._unread_answer.stop()

    def shutdown(self) -> None:
        """Ends the connection once its request is answered; those who dawdle get little time."""
        self._unread = b""
        cycle = self.cycle
        if self.flow.write_paused:
            self._unread_answer.start(self._hurried())
        if self.awaits_rest:
            self.hurry_rest(self._hurried())
        elif self.parser.in_message and not (cycle is None or cycle.response_started):
            self._refuse(503, "draining", "the service stops, and the body has not come")
        else:
            super().shutdown()
        if self._linger is None:
            self._linger = self.loop.call_later(_LINGER_SECONDS, self._leave)

    def bound_message(self) -> None:
        """Refuses a head that is too long, and a body that is mostly framing."""
        parser = self.parser
        if parser.in_head:
            if parser.head_bytes > self.max_head_bytes:
                self._refuse_long_head()
        elif parser.body_bytes - 2 * parser.content_bytes > self.max_head_bytes:
            self._refuse(
                400,
                "malformed_request",
                "the chunk sizes, chunk extensions and trailers of the body take more than it"
                f" holds and {self.max_head_bytes} bytes",
            )

    def on_headers_complete(self) -> None:
        """A head is complete; it starts a request if nothing is wrong with it."""
        self._stop_clock()
        if self.parser.head_bytes > self.max_head_bytes:
            self._refuse_long_head()
            return
        if self.parser.fields > self.max_fields:
            self._refuse(431, "head_too_large", f"at most {self.max_fields} headers are accepted")
            return
        version = self.parser.get_http_version()
        try:
            length = content_length(self.parser.get_method(), version, self.headers)
        except RefusedHead as error:
            self._refuse(error.status, error.code, str(error))
            return
        self.parser.expect_content(length)
        if not self.url.startswith(b"/"):
            self.url = _path_and_query(self.url)
        if version == "1.0":
            self.expect_100_continue = False  # which came with HTTP/1.1
        if (refusal := self._refusal_at_door()) is None:
            super().on_headers_complete()
        else:
            self.answer_early(refusal)

    def on_body(self, body: bytes) -> None:
        """A piece of a body is in."""
        if not self._is_over:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """A body is in."""
        if not self._is_over:
            super().on_message_complete()

    def refusal(self, scope: Scope) -> EarlyAnswer | None:
        """The answer to a request that the application need not see, or None; to be overridden.

        Args:
            scope: with `method`, `raw_path`, `query_string`, `headers` and `client`.
        """
        return None

    def note_refusal(self, status: int, code: str) -> None:
        """Takes note of a refusal that no request's accounting sees; to be overridden."""

    def send_400_response(self, msg: str) -> None:
        """Answers what is no HTTP."""
        self._refuse(400, "malformed_request", msg)

    def _read_on(self) -> None:
        super()._read_on()
        is_waiting = self.parser is not None and self.parser.in_head and not self._is_over
        if is_waiting and self._head_deadline is None:
            self._start_clock()

    def _refusal_at_door(self) -> EarlyAnswer | None:
        """The answer to a request that the application need not see, unless one is unread."""
        if (
            self.flow.write_paused
            or self.expect_100_continue
            or not self.parser.should_keep_alive()
        ):
            return None
        path, _, query = self.url.partition(b"?")
        return self.refusal(
            {
                "type": "http", "method": self.parser.get_method().decode("ascii"),
                "raw_path": path, "query_string": query, "headers": self.headers,
                "client": self.client, "state": self.scope["state"],
            }
        )  # fmt: skip

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
        if self.parser.in_head:
            self._refuse(408, "head_timeout", "the request's head arrived too slowly")
        else:
            self.transport.close()

    def _hurried(self) -> Pace:
        return Pace(_LINGER_SECONDS, self.body_pace.bytes_per_second)

    def _refuse(self, status: int, code: str, detail: str) -> None:
        """Answers outside of any request, and ends the connection."""
        if self.transport.is_closing() or self._is_over:
            return
        self._stop_clock()
        cycle = self.cycle
        if self.awaits_rest:
            self._end_with(b"")  # its request has had its answer
        elif cycle is None or cycle.response_complete:
            self._end_with(self._tell(status, code, detail))
        elif not self.parser.in_message:
            cycle.keep_alive = False  # its own answer is still to come
            self.stop_reading()
        else:
            # Nobody waits for what the application would answer.
            cycle.disconnected = True
            cycle.message_event.set()
            self._end_with(b"" if cycle.response_started else self._tell(status, code, detail))

    def _tell(self, status: int, code: str, detail: str) -> bytes:
        self.note_refusal(status, code)
        return _refusal(status, code, detail)

    def _end_with(self, refusal: bytes) -> None:
        """Sends this as the last, and reads on for a while.

        Closing a connection on a sender resets it, and the reset can overtake the refusal.
        """
        self.stop_reading()
        self.flow.release()
        self.flow.resume_reading()
        self.transport.write(refusal)
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._linger = self.loop.call_later(_LINGER_SECONDS, self._leave)

    def _leave(self) -> None:
        """Closes a connection that is over; ends one that is closed but for its client.

        With TLS the client has to close as well, and one that does not look at an idle connection
        may take its time.
        """
        if self.transport.is_closing() and not self.flow.write_paused:
            self.transport.abort()
            return
        if self._is_over:
            self.transport.close()
        self._linger = self.loop.call_later(_LINGER_SECONDS, self._leave)


def _nothing() -> None:
    """Nobody wants to know."""


def _path_and_query(target: bytes) -> bytes:
    """Those of a request target in absolute form, as clients send it to proxies.

    Raises:
        httptools.HttpParserError: if it is no URL.
    """
    if target == b"*":
        return target
    url = httptools.parse_url(target)
    return (url.path or b"/") + (b"?" + url.query if url.query else b"")


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
        f"content-length: {len(body)}\r\nconnection: close\r\n"
    )
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        head += "retry-after: 1\r\n"
    return head.encode() + b"\r\n" + body
