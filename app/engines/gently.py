"""Work beside what serves, which gives way to it."""

import contextlib
import os
import sys
import threading
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")

_NICER = 10
_NICEST = 19


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
