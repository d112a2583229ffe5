"""How a command ends: an interrupted one stops what it started before it goes."""

import signal
import sys
from collections.abc import Callable
from types import FrameType

from app.contract.errors import ConfigurationError


def run(command: Callable[[], int]) -> int:
    """Runs a command; SIGTERM and SIGINT both interrupt it, wherever it is.

    Outside of an event loop the interruption is a `KeyboardInterrupt`. Inside of `asyncio.run` it
    cancels the main task. Either way `finally` and `with` have their say.

    Returns:
        What the command returned, 2 for a mistake of its user's, which is told in one line, or 128
        and the number of the signal that ended it.
    """
    received = [signal.SIGINT]

    def interrupt(number: int, _frame: FrameType | None) -> None:
        received.append(signal.Signals(number))
        # asyncio makes a cancellation of SIGINT alone.
        signal.raise_signal(signal.SIGINT)

    signal.signal(signal.SIGTERM, interrupt)
    try:
        return command()
    except ConfigurationError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 128 + received[-1]
