"""The lightest client there is: of an answer it reads the status, and where it ends."""

import asyncio
from collections.abc import Callable
from typing import cast

BROKEN = 0
"""Stands for the status of an answer that never came whole."""

_HEAD_END = b"\r\n\r\n"
_LINE_END = b"\r\n"
_LENGTH = b"\r\ncontent-length:"
_CLOSE = b"\r\nconnection: close\r\n"
_STATUS = slice(9, 12)  # of "HTTP/1.1 200 OK"


class LightConnection(asyncio.Protocol):
    """One keep-alive connection, for one request at a time.

    The service under load shares its cores with whoever loads it, so this does without tasks,
    streams and headers. For everything else there is `tools.reliability.client`.
    """

    def __init__(self) -> None:
        self._transport: asyncio.Transport
        self._received = b""
        self._on_answer: Callable[[int], None] | None = None

    @property
    def is_open(self) -> bool:
        """Whether another request can be sent."""
        return not self._transport.is_closing()

    def ask(self, request: bytes, on_answer: Callable[[int], None]) -> None:
        """Sends a whole request.

        Args:
            request: head and body.
            on_answer: called once, with the answer's status or `BROKEN`.
        """
        self._on_answer = on_answer
        self._transport.write(request)

    def close(self) -> None:
        """Closes the connection."""
        self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        self._received += data
        end = self._received.find(_HEAD_END)
        if end < 0:
            return
        head = self._received[:end].lower() + _LINE_END
        start = head.index(_LENGTH) + len(_LENGTH)
        length = int(head[start : head.index(_LINE_END, start)])
        if len(self._received) < end + len(_HEAD_END) + length:
            return
        self._received = b""
        if _CLOSE in head:
            self._transport.close()
        self._end(int(head[_STATUS]))

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        self._end(BROKEN)

    def _end(self, status: int) -> None:
        on_answer, self._on_answer = self._on_answer, None
        if on_answer is not None:
            on_answer(status)
