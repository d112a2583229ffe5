"""A thread that formats and writes log lines, so that nobody who logs waits for that."""

import logging
import threading
from collections import deque
from typing import TextIO

# Lines that come within this time of each other are written in one go.
_GATHER_SECONDS = 0.01
# Longest wait for a reader that does not read: the process has to end.
_FLUSH_SECONDS = 2.0


class LogThread(logging.Handler):
    """Hands records to a thread, which formats and writes them.

    Formatting and writing a line is a part of each request's time on the event loop, and a reader
    of standard output that stops reading would stop the service. So lines wait here, up to a bound,
    and those beyond it are dropped and counted.

    Args:
        stream: gets the lines.
        capacity: most lines that wait.
    """

    def __init__(self, stream: TextIO, capacity: int = 10_000) -> None:
        super().__init__()
        self._stream = stream
        self._lines: deque[logging.LogRecord] = deque()
        self._capacity = capacity
        self._dropped = 0
        self._ending = threading.Event()
        self._is_writing = False
        self._come = threading.Event()
        self._written = threading.Condition()
        # A daemon: a process that ends without closing it, told to end at once, does not wait.
        self._thread = threading.Thread(target=self._work, name="log", daemon=True)
        self._thread.start()

    def createLock(self) -> None:  # noqa: N802 - logging's name
        """Needs none: a deque may be used from several threads at once."""
        self.lock = None

    def emit(self, record: logging.LogRecord) -> None:
        """Takes a record."""
        if self._ending.is_set() or len(self._lines) >= self._capacity:
            self._dropped += 1
            return
        self._lines.append(record)
        if not self._come.is_set():
            self._come.set()

    def flush(self) -> None:
        """Returns once all lines are written that were logged before, or after two seconds."""
        if self._thread.is_alive():
            self._come.set()
            with self._written:
                self._written.wait_for(
                    lambda: not (self._come.is_set() or self._is_writing), _FLUSH_SECONDS
                )

    def close(self) -> None:
        """Writes what waits, for two seconds at most, and ends the thread."""
        self._ending.set()
        self._come.set()
        if threading.current_thread() is not self._thread:
            self._thread.join(_FLUSH_SECONDS)
        super().close()

    def _work(self) -> None:
        is_over = False
        while not is_over:
            self._come.wait()
            is_over = self._ending.wait(_GATHER_SECONDS)
            self._write()

    def _write(self) -> None:
        # In this order: a line that comes after the last look at them sets the event again, and
        # whoever flushes sees one or the other.
        self._is_writing = True
        self._come.clear()
        lines = [self._lines.popleft() for _ in range(len(self._lines))]
        dropped, self._dropped = self._dropped, 0
        if dropped:
            lines.append(_notice(dropped))
        try:
            self._stream.write("".join(self._text(record) for record in lines))
            self._stream.flush()
        except (OSError, ValueError):  # its reader is gone, its disk full, or it is closed
            self._dropped += len(lines)
        with self._written:
            self._is_writing = False
            self._written.notify_all()

    def _text(self, record: logging.LogRecord) -> str:
        try:
            return self.format(record) + "\n"
        except Exception:  # noqa: BLE001 - one line that cannot be formatted ends nothing else
            self.handleError(record)
            return ""


def _notice(dropped: int) -> logging.LogRecord:
    return logging.LogRecord(
        __name__,
        logging.WARNING,
        __file__,
        0,
        "log lines were dropped, for standard output was not read: %d",
        (dropped,),
        None,
    )
