"""uvicorn's HTTP/1.1 protocol, with refusals that reach their client."""

import asyncio
from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType

from app.pace import Pace
from app.transport.http.direct_requests import DirectRequests
from app.transport.http.problem_body import identity, last_answer
from app.transport.http.unread_answer import UnreadAnswer

# For clients that have been refused, and for those who are slow when the service stops.
_LINGER_SECONDS = 2.0

TITLES: Mapping[str, str] = MappingProxyType(
    {
        "draining": "The service is shutting down",
        "head_timeout": "The request's head arrived too slowly",
        "head_too_large": "The request's head is too large",
        "http_version_not_supported": "The version of HTTP is not supported",
        "malformed_request": "The request is malformed",
        "not_found": "Not Found",
        "not_implemented": "Not Implemented",
        "too_many_connections": "Too many connections are open",
    }
)
"""What each code of a refusal means."""


class RefusingProtocol(DirectRequests):
    """Ends connections: with a refusal, with an answer that nobody reads, or for a newcomer.

    A refusal is the last answer of its connection.

    Subclass it with the limits set: uvicorn makes its protocols itself.
    """

    _unread_answer: UnreadAnswer | None = None
    _linger: asyncio.TimerHandle | None = None

    def connection_made(  # type: ignore[override]  # uvicorn narrows the transport as well
        self, transport: asyncio.Transport
    ) -> None:
        """A client has come."""
        super().connection_made(transport)
        self._unread_answer = UnreadAnswer(transport, self.loop, on_end=self._note_unread)
        # Writing is paused, and so the clock runs, while anything waits for the client.
        transport.set_write_buffer_limits(high=1, low=0)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stops the clocks."""
        if self._unread_answer is not None:
            self._unread_answer.stop()
        if self._linger is not None:
            self._linger.cancel()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """The client has not taken all of an answer yet."""
        super().pause_writing()
        self._start_unread_clock(self._hurried() if self._linger is not None else self.body_pace)

    def resume_writing(self) -> None:
        """The client has an answer."""
        super().resume_writing()
        if self._unread_answer is not None:
            self._unread_answer.stop()

    def shutdown(self) -> None:
        """Ends the connection once its request is answered; those who dawdle get little time."""
        self._unread = b""
        cycle = self.cycle
        if self.flow.write_paused:
            self._start_unread_clock(self._hurried())
        if self.awaits_rest:
            self.hurry_rest(self._hurried())
        elif self.parser.in_message and not (cycle is None or cycle.response_started):
            self.refuse(503, "draining", "the service stops, and the body has not come")
        else:
            super().shutdown()
        if self._linger is None:
            self._linger = self.loop.call_later(_LINGER_SECONDS, self._leave)

    def send_400_response(self, msg: str) -> None:
        """Answers what is not HTTP."""
        self.refuse(400, "malformed_request", msg)

    def refuse(self, status: int, code: str, detail: str) -> None:
        """Answers outside of any request, and ends the connection.

        Args:
            status: the HTTP status code.
            code: one of `TITLES`.
            detail: one sentence for the client.
        """
        if self.transport.is_closing() or self._is_over:
            return
        cycle = self.cycle
        if self.awaits_rest:
            self._end_with(b"")  # its request has had its answer
        elif cycle is None or cycle.response_complete:
            self._end_with(self._tell(status, code, detail))
        elif not self.parser.in_message:
            cycle.keep_alive = False  # its own answer is still to come
            self.stop_reading()
        else:
            self.leave_request()
            self._end_with(b"" if cycle.response_started else self._tell(status, code, detail))

    def refuse_at_once(self, status: int, code: str, detail: str) -> None:
        """Answers, and closes without waiting for the client, who has no place here."""
        is_answered = self.cycle is None or self.cycle.response_complete
        if is_answered and not (self.transport.is_closing() or self._is_over):
            self.stop_reading()
            self.transport.write(self._tell(status, code, detail))
        if self.scheme == "https":
            self.transport.abort()  # the client need not close as well
        else:
            self.transport.close()

    def _note_unread(self) -> None:
        self.note_refusal(None, "answer_not_read", "the client took its answer too slowly")

    def _tell(self, status: int, code: str, detail: str) -> bytes:
        self.note_refusal(status, code, detail)
        has_head = self.parser.in_message and not self.parser.in_head
        own_id = identity(self.headers if has_head else ())
        title = TITLES.get(code, HTTPStatus(status).phrase)
        return last_answer(status, code, title, detail, own_id)

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

    def _hurried(self) -> Pace:
        return Pace(_LINGER_SECONDS, self.body_pace.bytes_per_second)

    def _start_unread_clock(self, pace: Pace) -> None:
        if self._unread_answer is not None:
            self._unread_answer.start(pace)
