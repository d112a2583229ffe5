"""Between two measurements: until a server has done what clients that have gone left it to do."""

import time
from collections.abc import Callable

# Of one core. Linux counts in hundredths of a second.
_IDLE_SHARE = 0.1
_LOOK_SECONDS = 0.2
_MOST_SECONDS = 30.0


def wait_until_idle(
    processor_seconds: Callable[[], float],
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> bool:
    """Waits until a server takes next to no processor time.

    A load generator that stops leaves each client's last request behind. Servers that do not look
    whether a client is still there compute them all, and would take that time from whoever is
    measured next.

    Args:
        processor_seconds: that the server has used so far.
        clock: monotonic time in seconds.
        sleep: waits for so many seconds.

    Returns:
        Whether it has become idle; false if it has not within half a minute.
    """
    end = clock() + _MOST_SECONDS
    used, since = processor_seconds(), clock()
    while clock() < end:
        sleep(_LOOK_SECONDS)
        now_used, now = processor_seconds(), clock()
        if now_used - used < _IDLE_SHARE * (now - since):
            return True
        used, since = now_used, now
    return False
