"""The threads that decode and infer, as the scheduler says."""

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue

from app.inference.queued_image import QueuedImage
from app.inference.scheduler import Idle, Infer, Scheduler, Task

# A process that is told to end at once does not stop its threads, and would wait for them.
_LOOK_UP_SECONDS = 0.5

Done = Callable[[Scheduler], None]
"""Tells the scheduler what became of a task."""


class Workers:
    """One pool of threads, each of which does whatever is next.

    Args:
        scheduler: says what; only the pool may use it from here on.
        work: does one task, in one of the threads.
        refuse: answers an image that no thread will take any more.
        count: how many threads.
        clock: monotonic time in seconds.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        work: Callable[[Task], Done],
        refuse: Callable[[QueuedImage], None],
        count: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._scheduler = scheduler
        self._do = work
        self._refuse = refuse
        self._clock = clock
        self._lock = threading.Lock()
        self._come: deque[QueuedImage] = deque()
        self._wake: SimpleQueue[None] = SimpleQueue()
        self._idle = 0
        self._is_stopped = False
        self._on_death: Callable[[BaseException], None]
        self._threads = [
            threading.Thread(target=self._work, name=f"worker-{index}") for index in range(count)
        ]

    @property
    def waiting(self) -> int:
        """Images that wait for a thread or for a batch."""
        return len(self._come) + self._scheduler.waiting

    def start(self, on_death: Callable[[BaseException], None]) -> None:
        """Starts the threads.

        Args:
            on_death: called, in the thread, with what ended one that should have gone on.
        """
        self._on_death = on_death
        for thread in self._threads:
            thread.start()

    def add(self, images: Sequence[QueuedImage]) -> bool:
        """Queues images; false if the pool was stopped. Takes no lock: the event loop calls it."""
        if self._is_stopped:
            return False
        self._come.extend(images)
        # A thread counts itself as idle before it looks a last time. So either it sees these
        # images, or it is seen here.
        for _ in range(min(self._idle, len(images))):
            self._wake.put(None)
        return True

    def overdue(self, seconds: float) -> Sequence[Infer]:
        """The batches that have been under way for longer than this."""
        with self._lock:
            return self._scheduler.overdue(self._clock() - seconds)

    def stop(self) -> None:
        """Refuses all images that have no answer, and ends the threads after what they are doing.

        Does not wait for them: one may hang.
        """
        self._is_stopped = True
        for _ in self._threads:
            self._wake.put(None)
        self._refuse_all()

    def _work(self) -> None:
        done: Done | None = None
        try:
            while (task := self._next(done)) is not None:
                done = self._do(task)
                del task  # an idle thread must not keep the last image alive
        except BaseException as error:  # noqa: BLE001 - whatever it is, the thread is lost
            self._on_death(error)

    def _next(self, done: Done | None) -> Task | None:
        while not self._is_stopped and threading.main_thread().is_alive():
            with self._lock:
                if done is not None:
                    done(self._scheduler)
                    done = None
                task = self._take()
                if not isinstance(task, Idle):
                    return task
                self._idle += 1
                if self._come:
                    self._idle -= 1
                    continue
            seconds = _LOOK_UP_SECONDS if task.seconds is None else task.seconds
            with contextlib.suppress(Empty):
                self._wake.get(timeout=min(_LOOK_UP_SECONDS, seconds))
            with self._lock:
                self._idle -= 1
        if done is not None:
            with self._lock:
                done(self._scheduler)
        self._refuse_all()  # what came out of the last task
        return None

    def _take(self) -> Task | Idle:
        while self._come:
            self._scheduler.add(self._come.popleft())
        return self._scheduler.next(self._clock())

    def _refuse_all(self) -> None:
        with self._lock:
            images = self._scheduler.clear()
            while self._come:
                images.append(self._come.popleft())
        for image in images:
            self._refuse(image)
