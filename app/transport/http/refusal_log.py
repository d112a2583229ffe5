"""What is left of connections that end before a request of theirs reaches the application."""

import asyncio
import logging
from collections.abc import Callable

from app.telemetry.metrics import Metrics
from app.transport.http.request_log import RequestLog

logger = logging.getLogger(__name__)

_LINES_A_SECOND = 10

Later = Callable[[float, Callable[[], None]], object]


class RefusalLog:
    """Counts all of them and logs some: an attack must not fill the disk.

    Args:
        metrics: gets them by reason.
        requests: counts those that were answered, as requests.
        addresses: whether the log names clients by their address.
        later: calls back after seconds; by default the running event loop's.
    """

    def __init__(
        self,
        metrics: Metrics,
        requests: RequestLog,
        *,
        addresses: bool,
        later: Later = lambda seconds, act: asyncio.get_running_loop().call_later(seconds, act),
    ) -> None:
        self._count = metrics.refused_connections.labels
        self._requests = requests
        self._addresses = addresses
        self._later = later
        self._lines = 0
        self._left_out = 0

    def note(self, status: int | None, code: str, detail: str, client: str) -> None:
        """Notes one of them.

        Args:
            status: of its answer; None if there was none.
            code: the reason in a word, one of a few that are known.
            detail: the reason in a sentence.
            client: its address.
        """
        self._count(code).inc()
        if status is not None:
            self._requests.count("unmatched", status)
        if not self._lines:
            self._later(1.0, self._end_second)
        self._lines += 1
        if self._lines > _LINES_A_SECOND:
            self._left_out += 1
            return
        fields = {"outcome": code, "status": status, "detail": detail}
        if self._addresses:
            fields["caller"] = client
        logger.info("connection refused", extra=fields)

    def _end_second(self) -> None:
        left_out, self._lines, self._left_out = self._left_out, 0, 0
        if left_out:
            logger.warning(
                "%d more connections refused in one second are not logged;"
                " senet_refused_connections_total counts them",
                left_out,
            )
