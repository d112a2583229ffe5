"""uvicorn's HTTP/1.1 protocol, made to take one request at a time."""

import asyncio
import contextvars
from typing import Any, ClassVar

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from app.transport.http.request_parser import RequestParser


class SequentialProtocol(HttpToolsProtocol):
    """Leaves what follows a request unparsed until the request has been answered.

    So a connection holds one request, whatever its client sends at once, and what is wrong with
    the next one is found when its turn has come. Meanwhile nothing more is read.

    Subclass it with the limits set: uvicorn makes its protocols itself.

    Attributes:
        max_head_bytes: longest head that is parsed.
    """

    max_head_bytes: ClassVar[int]
    parser: RequestParser  # type: ignore[assignment]  # stands in for httptools' own
    flow: "HeldFlow"
    _unread = b""
    _is_over = False

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.parser = RequestParser(self, max_head_bytes=self.max_head_bytes)

    def connection_made(  # type: ignore[override]  # uvicorn narrows the transport as well
        self, transport: asyncio.Transport
    ) -> None:
        """A client has come."""
        super().connection_made(transport)
        self.flow = HeldFlow(transport)
        self._context = contextvars.copy_context()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stops uvicorn's clock as well, which after a reset would keep all this for a minute."""
        super().connection_lost(exc)
        self._unset_keepalive_if_required()

    def data_received(self, data: bytes) -> None:
        """Parses what belongs to the request that is being received."""
        if self._is_over or self._is_blank(data):
            return
        self._unset_keepalive_if_required()
        self._unread = self._unread + data if self._unread else data
        self._read_on()

    def on_body(self, body: bytes | memoryview) -> None:
        """A piece of a body is in."""
        if not self._is_over:
            super().on_body(body)  # type: ignore[arg-type]  # it appends any bytes

    def on_message_complete(self) -> None:
        """A body is in."""
        if not self._is_over:
            super().on_message_complete()

    def on_response_complete(self) -> None:
        """An answer is out; it is the next request's turn."""
        super().on_response_complete()
        self._take_turn()

    def stop_reading(self) -> None:
        """Ignores from now on what the client sends."""
        self._is_over = True
        self._unread = b""

    def bound_message(self) -> None:
        """Checks a message that goes on after a piece was parsed; to be overridden."""

    def _read_on(self) -> None:
        if self.parser is None or self.transport.is_closing():  # the connection is lost
            return
        data, start = self._unread, 0
        self._unread = b""
        if not self._is_next_awaited():
            self.flow.release()
            start = self._parse(data, 0)
            while start < len(data) and self.parser.in_message and not self._is_over:
                start = self._parse(data, start)
        rest = data[start:]
        if not rest or self._is_over or self._is_blank(rest):
            return
        if self.parser.in_message or self.cycle is None or self.cycle.keep_alive:
            self._unread = rest
            self.flow.hold()
            self._take_turn()

    def _parse(self, data: bytes, start: int) -> int:
        try:
            end = self.parser.feed(data, start)
        except httptools.HttpParserError:
            self.send_400_response("this is not an HTTP request")
            return len(data)
        if self.parser.in_message:
            self.bound_message()
        return end

    def _take_turn(self) -> None:
        """Goes on with what is unread, after others."""
        if self._unread and not self._is_next_awaited():
            self._unset_keepalive_if_required()
            # Not as a part of the request that is over, by whose id its log lines go.
            self.loop.call_soon(self._read_on, context=self._context)

    def _is_next_awaited(self) -> bool:
        """Whether the next message has to wait for an answer to the last."""
        is_answered = self.cycle is None or self.cycle.response_complete
        return not (self.parser.in_message or is_answered)

    def _is_blank(self, data: bytes) -> bool:
        """Whether these are only empty lines, which some clients send after a body."""
        return not self.parser.in_message and data[0] in b"\r\n" and not data.strip(b"\r\n")


class HeldFlow(FlowControl):
    """uvicorn's flow control, which resumes reading on many occasions, with a hold on it."""

    _is_held = False

    def hold(self) -> None:
        """Reads nothing until released."""
        self._is_held = True
        self.pause_reading()

    def release(self) -> None:
        """Reads again, if it was held."""
        if self._is_held:
            self._is_held = False
            self.resume_reading()

    def resume_reading(self) -> None:
        """Reads again, unless it is held."""
        if not self._is_held:
            super().resume_reading()
