"""Bounds how slowly bytes may come or go on a connection."""

import asyncio
from collections.abc import Callable

from app.pace import Pace


class PaceClock:
    """Tells when bytes pass too slowly.

    Args:
        loop: has the time.
        passed: how many bytes have passed since the start.
        on_slow: called once, when they were too few.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        passed: Callable[[], int],
        on_slow: Callable[[], object],
    ) -> None:
        self._loop = loop
        self._passed = passed
        self._on_slow = on_slow
        self._timer: asyncio.TimerHandle | None = None

    @property
    def is_running(self) -> bool:
        """Whether it was started and neither stopped nor ended."""
        return self._timer is not None

    def start(self, pace: Pace) -> None:
        """Starts the clock, anew if it runs.

        Args:
            pace: how slowly bytes may pass from now on.
        """
        self.stop()
        self._pace = pace
        self._began = self._loop.time()
        self._timer = self._loop.call_later(pace.seconds(0), self._check)

    def stop(self) -> None:
        """Stops the clock."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _check(self) -> None:
        left = self._began + self._pace.seconds(self._passed()) - self._loop.time()
        if left > 0:
            self._timer = self._loop.call_later(left, self._check)
        else:
            self._timer = None
            self._on_slow()
