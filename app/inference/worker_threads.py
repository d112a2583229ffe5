"""Threads that work for an event loop, with less ado than `concurrent.futures`."""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from app.contract.errors import Draining
from app.inference.priority import Priority, PriorityQueue

Result = TypeVar("Result")

_LOOK_UP_SECONDS = 0.5
_STOPPING = "the service is shutting down"


@dataclass(slots=True, eq=False)
class _Job:
    work: Callable[[], Any]
    done: asyncio.Future[Any]
    loop: asyncio.AbstractEventLoop


class WorkerThreads:
    """Runs functions for coroutines, interactive ones first, callers in turn.

    A job costs half of what `run_in_executor` does: no second future, no condition, and one lock.

    Args:
        count: how many threads.
        name: their names' beginning.
    """

    def __init__(self, count: int, name: str) -> None:
        self._jobs: PriorityQueue[_Job] = PriorityQueue()
        self._lock = threading.Lock()
        # True for each job that waits, False for each thread that is to end.
        self._tokens: SimpleQueue[bool] = SimpleQueue()
        self._stopped = False
        self._threads = [
            threading.Thread(target=self._work, name=f"{name}-{index}") for index in range(count)
        ]

    def start(self) -> None:
        """Starts the threads."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Ends the threads after what they are doing; jobs that wait fail with `Draining`.

        Does not wait for them: one may hang.
        """
        self._stopped = True
        with self._lock:
            while self._jobs:
                _settle(self._jobs.pop(self._jobs.turn()), None, Draining(_STOPPING))
        for _ in self._threads:
            self._tokens.put(False)

    async def run(
        self,
        work: Callable[[], Result],
        priority: Priority = "interactive",
        caller: Hashable = None,
    ) -> Result:
        """Runs `work` in a thread; not at all if the caller is cancelled before its turn.

        Args:
            work: what to run; its exception is the caller's.
            priority: whose turn it is, see `PriorityQueue`.
            caller: for whom it is.

        Raises:
            Draining: if the threads were stopped first.
        """
        if self._stopped:
            raise Draining(_STOPPING)
        loop = asyncio.get_running_loop()
        job = _Job(work, loop.create_future(), loop)
        with self._lock:
            self._jobs.push(job, priority, caller)
        self._tokens.put(True)
        result: Result = await job.done
        return result

    def _next_token(self) -> bool:
        # A process that ends without `stop`, told to end at once, would wait for the threads.
        while threading.main_thread().is_alive():
            with contextlib.suppress(Empty):
                return self._tokens.get(timeout=_LOOK_UP_SECONDS)
        return False

    def _work(self) -> None:
        while self._next_token():
            with self._lock:
                if not self._jobs:  # emptied by `stop`
                    continue
                job = self._jobs.pop(self._jobs.turn())
            if job.done.cancelled():
                continue
            result, error = None, None
            try:
                result = job.work()
            except BaseException as raised:  # noqa: BLE001 - it is the caller's
                error = raised
            try:
                job.loop.call_soon_threadsafe(_settle, job, result, error)
            except RuntimeError:
                return  # the loop was closed on it
            # An idle thread must not keep the last image, or its exception, alive.
            del job, result, error


def _settle(job: _Job, result: object, error: BaseException | None) -> None:
    if job.done.done():
        return
    if error is None:
        job.done.set_result(result)
    else:
        job.done.set_exception(error)
