"""Work beside what serves, which gives way to it."""

import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")

# At the lowest a load would take a hundred times as long where requests keep all cores busy.
_NICER = 10
_NICEST = 19
# Whoever waits for the interpreter's lock asks for it only after 5 ms, and several times in each
# request.
_TURN_SECONDS = 0.0003
_PAUSE_SECONDS = 0.001


def gently(work: Callable[[], Result]) -> Result:
    """Does something in a thread of a lower priority, and waits for it.

    Threads that it starts keep that priority, which nothing can raise again: it must not make
    threads that stay. Only Linux has priorities for threads; elsewhere the work is simply done.

    Args:
        work: what to do.

    Returns:
        Its result.

    Raises:
        Exception: what it raises.
    """
    if not sys.platform.startswith("linux"):
        return work()
    results: list[Result] = []
    errors: list[BaseException] = []

    def run() -> None:
        thread = threading.get_native_id()
        with contextlib.suppress(OSError):  # a sandbox may forbid it
            nice = os.getpriority(os.PRIO_PROCESS, thread)
            os.setpriority(os.PRIO_PROCESS, thread, min(_NICEST, nice + _NICER))
        try:
            results.append(work())
        except BaseException as error:  # noqa: BLE001 - whoever waits gets it
            errors.append(error)

    thread = threading.Thread(target=run, name="gently")
    thread.start()
    thread.join()
    if errors:
        raise errors.pop()
    return results.pop()


class Pauses:
    """Interrupts work in Python, so that other threads have their turns at the interpreter.

    Args:
        clock: monotonic time in seconds.
        sleep: waits for so many seconds.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._since = clock()

    def __call__(self) -> None:
        """To be called often; pauses if the work has gone on for its turn."""
        if self._clock() - self._since > _TURN_SECONDS:
            self._sleep(_PAUSE_SECONDS)
            self._since = self._clock()
