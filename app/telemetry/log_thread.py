"""A thread that formats and writes log lines, so that nobody who logs waits for that."""

import logging
import threading
from collections import deque


class LogThread(logging.Handler):
    """Hands records to a thread, which hands them to another handler.

    Formatting and writing a line is a part of each request's time on the event loop, and a reader
    of standard output that stops reading would stop the service. So lines wait here, up to a bound,
    and those beyond it are dropped and counted.

    Args:
        handler: formats and writes; its filters run in the thread that logs.
        capacity: most lines that wait.
    """

    def __init__(self, handler: logging.Handler, capacity: int = 10_000) -> None:
        super().__init__()
        self._handler = handler
        self._capacity = capacity
        self._lines: deque[logging.LogRecord] = deque()
        self._dropped = 0
        self._changed = threading.Condition()
        self._is_writing = False
        self._is_closed = False
        # A daemon: a process that ends without closing it, told to end at once, does not wait.
        self._thread = threading.Thread(target=self._work, name="log", daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        """Takes a record."""
        with self._changed:
            if self._is_closed or len(self._lines) >= self._capacity:
                self._dropped += 1
                return
            self._lines.append(record)
            self._changed.notify()

    def flush(self) -> None:
        """Returns once all lines are written that were logged before."""
        with self._changed:
            self._changed.wait_for(lambda: not (self._lines or self._is_writing))

    def close(self) -> None:
        """Writes what waits, and ends the thread."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        if threading.current_thread() is not self._thread:
            self._thread.join()
        super().close()

    def _work(self) -> None:
        while True:
            with self._changed:
                self._is_writing = False
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._lines or self._is_closed)
                if not self._lines:
                    return
                lines, dropped = list(self._lines), self._dropped
                self._lines.clear()
                self._dropped = 0
                self._is_writing = True
            for record in lines:
                self._handler.handle(record)
            if dropped:
                self._handler.handle(_notice(dropped))


def _notice(dropped: int) -> logging.LogRecord:
    return logging.LogRecord(
        __name__,
        logging.WARNING,
        __file__,
        0,
        "%d log lines were dropped: standard output is not read fast enough",
        (dropped,),
        None,
    )
