"""Sends the series at intervals, from a thread of its own."""

import logging
import threading
from collections.abc import Callable

logger = logging.getLogger(__name__)


class SeriesSender:
    """Sends until it is stopped, and once more then. A failure is a line in the log, no more.

    Args:
        send: sends all series as they are now. Blocks; what it returns is ignored.
        close: lets go of the connection.
        interval_seconds: the pause between two times.
    """

    def __init__(
        self, send: Callable[[], object], close: Callable[[], None], interval_seconds: float
    ) -> None:
        self._send = send
        self._close = close
        self._interval_seconds = interval_seconds
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="otlp-metrics", daemon=True)

    def start(self) -> None:
        """Begins."""
        self._thread.start()

    def stop(self) -> None:
        """Sends the last state. Blocks until that is done or has failed."""
        self._ended.set()
        self._thread.join()
        self._close()

    def _run(self) -> None:
        is_last = False
        while not is_last:
            is_last = self._ended.wait(self._interval_seconds)
            try:
                self._send()
            except Exception:  # whatever the exporter raises, the next time may do
                logger.exception("the metrics were not sent")
