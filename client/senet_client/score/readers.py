"""Threads that read. Unlike those of an executor they never keep the program from ending."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, TypeVar

T = TypeVar("T")


class Readers:
    """Daemon threads, begun as they are needed. A read that hangs, hangs without the program.

    Args:
        most: threads there may be.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._threads = 0
        self._idle = threading.Semaphore(0)
        self._calls: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()

    def submit(self, call: Callable[[], T]) -> "Future[T]":
        """Calls it in a thread. To be used by one thread."""
        future: Future[T] = Future()
        self._calls.put((future, call))
        if not self._idle.acquire(blocking=False) and self._threads < self._most:
            self._threads += 1
            threading.Thread(target=self._work, name="read", daemon=True).start()
        return future

    def close(self) -> None:
        """Lets each thread end after its present call."""
        for _ in range(self._threads):
            self._calls.put(None)

    def _work(self) -> None:
        while (item := self._calls.get()) is not None:
            future, call = item
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(call())
                except BaseException as error:  # noqa: BLE001 - told to who waits for it
                    future.set_exception(error)
            del future, call, item  # not held while waiting for the next
            self._idle.release()
