"""Bounds how long an answer may wait for a client that does not read it."""

import array
import asyncio
import contextlib
import fcntl
import socket
import termios
from collections.abc import Callable

from app.pace import Pace
from app.transport.http.pace_clock import PaceClock


class UnreadAnswer:
    """Ends a connection whose client takes its answer too slowly.

    Args:
        transport: of the connection, with something to send that its socket does not take.
        loop: has the time.
        on_end: called when it does.
    """

    def __init__(
        self,
        transport: asyncio.Transport,
        loop: asyncio.AbstractEventLoop,
        on_end: Callable[[], None],
    ) -> None:
        self._transport = transport
        self._on_end = on_end
        self._clock = PaceClock(loop, self._taken, self._end)
        self._size = 0

    def start(self, pace: Pace) -> None:
        """Starts the clock, anew if it runs.

        Args:
            pace: how slowly the answer may go from now on.
        """
        self._size = self._unacknowledged()
        self._clock.start(pace)

    def stop(self) -> None:
        """Stops the clock."""
        self._clock.stop()

    def _taken(self) -> int:
        return max(0, self._size - self._unacknowledged())

    def _end(self) -> None:
        self._on_end()
        self._transport.abort()

    def _unacknowledged(self) -> int:
        """Bytes that the client has not taken, the kernel's as well: those it gives up in lumps."""
        peer: socket.socket = self._transport.get_extra_info("socket")
        in_kernel = array.array("i", [0])
        with contextlib.suppress(OSError):  # where the kernel does not tell
            fcntl.ioctl(peer.fileno(), termios.TIOCOUTQ, in_kernel)
        return self._transport.get_write_buffer_size() + in_kernel[0]
