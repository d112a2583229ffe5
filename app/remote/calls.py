"""Calls of a store's library that may be given up, for nothing can end them."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from app.contract.errors import Draining

Result = TypeVar("Result")

ANSWER_SECONDS = 60.0
"""How long a store may take for one answer. Its library tries again meanwhile."""
_LOOK_SECONDS = 0.1


class Calls:
    """Makes calls in threads that neither a hung store nor the end of the process waits for.

    Args:
        answer_seconds: after which a call is given up.
    """

    def __init__(self, answer_seconds: float = ANSWER_SECONDS) -> None:
        self._answer_seconds = answer_seconds
        self._closed = threading.Event()

    def close(self) -> None:
        """Gives up the calls that are under way, and those to come."""
        self._closed.set()

    def __call__(self, function: Callable[[], Result]) -> Result:
        """Makes a call.

        Raises:
            TimeoutError: if it takes too long.
            Draining: after `close`.
            Exception: what it raises.
        """
        future: Future[Result] = Future()
        threading.Thread(target=_run, args=(function, future), daemon=True).start()
        looks = int(self._answer_seconds / _LOOK_SECONDS) + 1
        for _ in range(looks):
            if self._closed.is_set():
                raise Draining("the service is shutting down")
            try:
                return future.result(_LOOK_SECONDS)
            except TimeoutError:
                if future.done():  # it was the call's own, or the answer has just come
                    return future.result()
        raise TimeoutError(f"no answer within {self._answer_seconds:g} s")


def _run(function: Callable[[], Result], future: "Future[Result]") -> None:
    try:
        future.set_result(function())
    except BaseException as error:  # noqa: BLE001 - whoever waits gets it
        future.set_exception(error)
