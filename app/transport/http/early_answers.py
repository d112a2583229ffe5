"""uvicorn's HTTP/1.1 protocol, for answers that go out before their request's body is in."""

import asyncio
import weakref
from typing import ClassVar, NamedTuple

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from app.pace import Pace
from app.transport.http.pace_clock import PaceClock
from app.transport.http.sequential_protocol import SequentialProtocol


class WireAnswer(NamedTuple):
    """A whole answer as it goes over the wire.

    Attributes:
        status: of HTTP.
        head: the header lines, Content-Length among them, but for `Connection`.
        body: the answer's.
        keep_alive: whether another request may follow.
    """

    status: int
    head: bytes
    body: bytes
    keep_alive: bool = True


class EarlyAnswers(SequentialProtocol):
    """Discards what is still to come of a body whose request has been answered.

    The rest is thrown away as it comes, so that the connection can serve the next request. One
    that is to close stays open until then, too: closing it on a sender resets it, and the reset
    can overtake the answer. A rest that is too slow ends the connection nevertheless, and so does
    one that takes more time than the longest body that is accepted; its length does not matter,
    for many clients read no answer before they have sent all.

    Subclass it with the limits set: uvicorn makes its protocols itself.

    Attributes:
        body_pace: how slowly a body may come.
        max_body_bytes: longest body that is accepted.
    """

    body_pace: ClassVar[Pace]
    max_body_bytes: ClassVar[int]

    _awaits_rest = False
    _rest_bytes = 0
    _rest_clock: PaceClock | None = None
    _closes_after_rest = False

    @property
    def awaits_rest(self) -> bool:
        """Whether a request has been answered whose body is not in."""
        return self._awaits_rest

    def connection_made(  # type: ignore[override]  # uvicorn narrows the transport as well
        self, transport: asyncio.Transport
    ) -> None:
        """A client has come."""
        super().connection_made(transport)
        self._rest_clock = PaceClock(self.loop, self._counted_rest, self._end_slow_rest)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stops the clock."""
        self._stop_rest_clock()
        super().connection_lost(exc)

    def on_headers_complete(self) -> None:
        """A request begins; its answer goes out through `_Answer`."""
        super().on_headers_complete()
        self.cycle.transport = _Answer(self, self.cycle, self.transport)

    def on_body(self, body: bytes | memoryview) -> None:
        """A piece of a body is in."""
        if not self._awaits_rest:
            super().on_body(body)
        else:
            self._rest_bytes += len(body)

    def on_message_complete(self) -> None:
        """A body is in."""
        if not self._awaits_rest:
            super().on_message_complete()
            return
        self._awaits_rest = False
        self._stop_rest_clock()
        if self._closes_after_rest:
            self.transport.close()
        else:
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )
            self.note_answered()

    def on_response_complete(self) -> None:
        """An answer is out."""
        super().on_response_complete()
        if not self.transport.is_closing():
            self.cycle.body = bytearray()
            if self.cycle.more_body:
                self._await_rest()
                self._start_rest_clock(self.body_pace)
            else:
                self.note_answered()

    def note_answered(self) -> None:
        """A request is in and its answer is out; to be overridden."""

    def answer_early(self, answer: WireAnswer) -> None:
        """Answers a request whose head has come, without the application."""
        self.write_whole(answer, keep_alive=True)
        self._await_rest()

    def write_whole(self, answer: WireAnswer, *, keep_alive: bool) -> None:
        """Writes an answer at once."""
        own = b"".join([b"%b: %b\r\n" % header for header in self.server_state.default_headers])
        end = b"\r\n" if keep_alive else b"connection: close\r\n\r\n"
        self.transport.write(
            b"".join((STATUS_LINE[answer.status], own, answer.head, end, answer.body))
        )

    def close_after_rest(self) -> None:
        """Closes the connection once the body of the answered request is in."""
        self._closes_after_rest = True

    def hurry_rest(self, pace: Pace) -> None:
        """Closes the connection as soon as the rest of the body is in, or is slower than this."""
        self.close_after_rest()
        self._rest_bytes = 0
        self._start_rest_clock(pace)

    def note_refusal(self, status: int | None, code: str, detail: str) -> None:
        """Takes note of what no request's accounting sees; to be overridden.

        Args:
            status: of the answer; None if the connection ends without one.
            code: why, in a word.
            detail: why, in a sentence.
        """

    def _read_on(self) -> None:
        """Parses; starts the clock for the rest of a body, unless it has come already."""
        super()._read_on()
        if self._awaits_rest and self._rest_clock is not None and not self._rest_clock.is_running:
            self._rest_clock.start(self.body_pace)

    def _await_rest(self) -> None:
        self._awaits_rest = True
        self._rest_bytes = 0

    def _start_rest_clock(self, pace: Pace) -> None:
        if self._rest_clock is not None:
            self._rest_clock.start(pace)

    def _stop_rest_clock(self) -> None:
        if self._rest_clock is not None:
            self._rest_clock.stop()

    def _counted_rest(self) -> int:
        return min(self._rest_bytes, self.max_body_bytes)

    def _end_slow_rest(self) -> None:
        self.note_refusal(None, "slow_body", "the rest of an answered body came too slowly")
        self.transport.close()


class _Answer(asyncio.Transport):
    """The transport as one request's answer sees it.

    uvicorn writes the head and the body apart; here they become one write, for each costs a
    system call and wakes the client. (The ASGI specification wants the head to wait as well.)

    Args:
        protocol: of the connection.
        cycle: the request.
        transport: of the connection.
    """

    def __init__(
        self, protocol: EarlyAnswers, cycle: RequestResponseCycle, transport: asyncio.Transport
    ) -> None:
        super().__init__()
        self._protocol = protocol
        # It owns this object; the two must not keep each other from being freed at once.
        self._cycle = weakref.proxy(cycle)
        self._transport = transport
        # What is to be written with the body; an answer to HEAD has none.
        self._head: bytes | None = b"" if cycle.scope["method"] == "HEAD" else None
        self._is_body_wanted = not cycle.waiting_for_100_continue
        self._keep_alive = cycle.keep_alive
        if cycle.waiting_for_100_continue:
            # Nobody can know whether a sender that is not told to go on does so anyway.
            cycle.keep_alive = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Writes, unless it is the head, which waits for the next write."""
        if not self._cycle.response_started:
            self._is_body_wanted = True  # 100 Continue
            self._cycle.keep_alive = self._keep_alive
            self._transport.write(data)
        elif self._head is None:
            self._head = bytes(data)
        elif self._head:
            self._transport.writelines((self._head, data))
            self._head = b""
        else:
            self._transport.write(data)

    def is_closing(self) -> bool:
        """Whether the connection is being closed."""
        return self._transport.is_closing()

    def close(self) -> None:
        """Closes the connection, after a body that is on its way to an answered request."""
        on_its_way = self._cycle.more_body and self._is_body_wanted
        if self._cycle.response_complete and on_its_way:
            self._protocol.close_after_rest()
        else:
            self._transport.close()
