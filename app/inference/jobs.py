"""Changes of what is loaded, and how they ended."""

import asyncio
import secrets
import time
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from typing import Literal

from app.contract.errors import Draining, RequestError

Action = Literal["load", "unload", "label", "split", "shadow"]
JobState = Literal["running", "done", "failed"]

_KEPT = 64
_ID_BYTES = 8


@dataclass(slots=True, eq=False)
class Job:
    """One change.

    Attributes:
        id: its name; random, for clients may reach several replicas by turns.
        action: what is done.
        model: to which model.
        version: and which version of it.
        caller: who asked for it.
        clock: monotonic time in seconds.
        state: where it stands.
        step: what is being done, or what failed.
        error: why it failed.
        seconds: how long it took, once it is over.
    """

    id: str
    action: Action
    model: str
    version: str
    caller: str
    clock: Callable[[], float] = time.monotonic
    state: JobState = "running"
    step: str = ""
    error: RequestError | None = None
    seconds: float | None = None
    _task: "asyncio.Task[None] | None" = None
    _started: float = field(init=False)

    def __post_init__(self) -> None:
        self._started = self.clock()

    async def finish(self) -> None:
        """Waits until it is over; whoever waits may be cancelled without harm to it.

        Raises:
            RequestError: if it has failed.
        """
        if self._task is not None:
            await asyncio.wait([self._task])
        if self.error is not None:
            raise self.error

    def run(self, work: Coroutine[object, object, None]) -> "asyncio.Task[None]":
        """Begins; `work` raises a `RequestError` if it fails."""
        self._task = asyncio.create_task(self._run(work))
        return self._task

    async def _run(self, work: Coroutine[object, object, None]) -> None:
        try:
            await work
        except RequestError as error:
            # Its traceback would keep what was loaded in memory.
            self.state, self.error = "failed", error.with_traceback(None)
        except asyncio.CancelledError:
            self.state, self.error = "failed", Draining("the service is shutting down")
            raise
        else:
            self.state = "done"
        finally:
            self.seconds = self.clock() - self._started


class Jobs:
    """The jobs that run, and the last of those that have ended. For one event loop."""

    def __init__(self) -> None:
        self._jobs: deque[Job] = deque()
        self._tasks: set[asyncio.Task[None]] = set()

    def of(self, model: str) -> Iterator[Job]:
        """Those of one model, the newest first."""
        return (job for job in reversed(self._jobs) if job.model == model)

    def running(self, model: str, action: Action) -> Job | None:
        """The one that is under way, if there is one."""
        return next(
            (job for job in self.of(model) if (job.action, job.state) == (action, "running")), None
        )

    def begin(
        self,
        action: Action,
        model: str,
        version: str,
        caller: str,
        work: Callable[[Job], Coroutine[object, object, None]],
    ) -> Job:
        """Begins a job.

        Args:
            action: what is done.
            model: to which model.
            version: and which version of it.
            caller: who asked for it.
            work: does it; raises a `RequestError` if it fails.
        """
        job = Job(_new_id(), action, model, version, caller)
        self._keep(job)
        task = job.run(work(job))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return job

    def note(self, action: Action, model: str, version: str, caller: str) -> Job:
        """Notes what took no time."""
        job = Job(_new_id(), action, model, version, caller, state="done", seconds=0)
        self._keep(job)
        return job

    def _keep(self, job: Job) -> None:
        self._jobs.append(job)
        over = [old for old in self._jobs if old.state != "running"]
        for old in over[: max(0, len(self._jobs) - _KEPT)]:
            self._jobs.remove(old)

    async def stop(self) -> None:
        """Ends those that run."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def _new_id() -> str:
    return secrets.token_hex(_ID_BYTES)
