"""Waiting for a state, not for a time."""

import time
from collections.abc import Callable

# Never reached when all is well; only so that a broken build fails instead of hanging.
BOUND_SECONDS = 30.0
_PAUSE_SECONDS = 0.005


def eventually(condition: Callable[[], bool]) -> None:
    """Returns once `condition` holds.

    Raises:
        AssertionError: if it does not within a generous bound.
    """
    give_up = time.monotonic() + BOUND_SECONDS
    while not condition():
        assert time.monotonic() < give_up, "the state waited for never came"
        time.sleep(_PAUSE_SECONDS)
