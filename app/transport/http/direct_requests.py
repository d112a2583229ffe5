"""uvicorn's HTTP/1.1 protocol, for requests that are answered without ASGI."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Protocol

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from app.transport.http.body_pieces import add_piece
from app.transport.http.early_answers import EarlyAnswers, WireAnswer
from app.transport.http.pace_clock import PaceClock
from app.transport.http.sequential_protocol import SequentialProtocol

Write = Callable[[WireAnswer], None]
"""Writes the answer to a request."""


class DirectRequest(Protocol):
    """A request whose body is read before anything is done about it."""

    def answer(self, body: list[bytes] | Exception, write: Write) -> Awaitable[None]:
        """Answers it.

        Args:
            body: its pieces, or why there is none: `BodyTimeout`, or `ClientDisconnect`, to which
                there is no answer.
            write: takes the whole answer.
        """
        ...


class DirectRequests(EarlyAnswers):
    """Reads a whole body, and has its request answered in one write.

    That is what most requests to classify need. To carry them through ASGI, with a message for each
    piece of the body and of the answer and an event that wakes the application for it, takes a
    third of the event loop's time for a request (docs/performance.md).

    Subclass it with the limits set: uvicorn makes its protocols itself.
    """

    _direct: DirectRequest | None = None
    _pieces: list[bytes]
    _content_bytes = 0
    _body_clock: PaceClock | None = None

    def connection_made(  # type: ignore[override]  # uvicorn narrows the transport as well
        self, transport: asyncio.Transport
    ) -> None:
        """A client has come."""
        super().connection_made(transport)
        self._body_clock = PaceClock(self.loop, lambda: self._content_bytes, self._end_slow_body)

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has left."""
        self._abandon()
        super().connection_lost(exc)

    def begin_direct(self, request: DirectRequest) -> None:
        """Has the request whose head is complete answered by this, without ASGI."""
        self._direct = request
        self._pieces = []
        self._content_bytes = 0
        SequentialProtocol.on_headers_complete(self)  # of one write there is nothing to join

    def on_body(self, body: bytes | memoryview) -> None:
        """A piece of a body is in."""
        if self._direct is None:
            super().on_body(body)
        elif not self._is_over:
            self._content_bytes += len(body)
            add_piece(self._pieces, body)

    def on_message_complete(self) -> None:
        """A body is in."""
        super().on_message_complete()
        if self._direct is not None and not self._is_over:
            self._start(self._direct, self._pieces)

    def leave_request(self) -> None:
        """Nobody waits for what the application would answer."""
        self.cycle.disconnected = True
        self.cycle.message_event.set()
        self._abandon()

    # uvicorn has types of its own for ASGI, which it does not export.
    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGIApp) -> None:  # type: ignore[override]
        if self._direct is None:
            super()._start_asgi_task(cycle, app)  # type: ignore[arg-type]

    def _read_on(self) -> None:
        super()._read_on()
        clock = self._body_clock
        if self._direct is not None and clock is not None and not clock.is_running:
            clock.start(self.body_pace)

    def _abandon(self) -> None:
        if self._direct is not None:
            self._start(self._direct, ClientDisconnect())

    def _end_slow_body(self) -> None:
        if self._direct is not None:
            self._start(self._direct, self.body_pace.too_slow(self._content_bytes))

    def _start(self, request: DirectRequest, body: list[bytes] | Exception) -> None:
        self._direct = None
        self._pieces = []
        if self._body_clock is not None:
            self._body_clock.stop()
        answering = self._answer(request, body, partial(self._write, self.cycle))
        task = self.loop.create_task(answering)
        task.add_done_callback(self.tasks.discard)
        self.tasks.add(task)

    async def _answer(
        self, request: DirectRequest, body: list[bytes] | Exception, write: Write
    ) -> None:
        try:
            await request.answer(body, write)
        except BaseException:
            self.transport.close()
            raise

    def _write(self, cycle: RequestResponseCycle, answer: WireAnswer) -> None:
        if cycle.disconnected:
            return
        cycle.response_started = cycle.response_complete = True
        keep_alive = cycle.keep_alive and answer.keep_alive
        self.write_whole(answer, keep_alive=keep_alive)
        if not keep_alive:
            if cycle.more_body:
                self.close_after_rest()
            else:
                self.transport.close()
        self.on_response_complete()
