"""The threads that decode and infer, as the schedulers say."""

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue

from app.inference.queued_image import QueuedImage
from app.inference.scheduler import NO_OTHERS, Idle, Infer, Others, Scheduler, Task

# A process that is told to end at once does not stop its threads, and would wait for them.
_LOOK_UP_SECONDS = 0.5

Done = Callable[[Scheduler], None]
"""Tells the scheduler what became of a task."""


class Lane:
    """One model's part of a pool; `Workers.open` makes it.

    Args:
        pool: whose threads work.
        scheduler: says what is next; only the pool may use it from here on.
        work: does one task, in one of the threads.
        refuse: answers an image that no thread will take any more.
    """

    def __init__(
        self,
        pool: "Workers",
        scheduler: Scheduler,
        work: Callable[[Task], Done],
        refuse: Callable[[QueuedImage], None],
    ) -> None:
        self._pool = pool
        self.scheduler = scheduler
        self.work = work
        self.refuse = refuse
        self.come: deque[QueuedImage] = deque()
        self.is_closed = False
        self.tasks = 0
        """That threads are doing for it."""

    @property
    def waiting(self) -> int:
        """Images that wait for a thread or for a batch."""
        return len(self.come) + self.scheduler.waiting

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing to do and nothing under way."""
        return not self.come and self.scheduler.is_idle

    def add(self, images: Sequence[QueuedImage]) -> bool:
        """Queues images; false if it was closed. Takes no lock: the event loop calls it."""
        if self.is_closed:
            return False
        self.come.extend(images)
        self._pool.wake(len(images))
        return True

    def overdue(self, seconds: float) -> Sequence[Infer]:
        """The batches that have been under way for longer than this."""
        return self._pool.overdue(self, seconds)

    def close(self) -> None:
        """Refuses all images that have no answer; what a thread is doing for it, it ends.

        Does not wait for that: it may hang.
        """
        self._pool.close(self)


class Workers:
    """One pool of threads over the cores, each of which does whatever is next.

    Models share it, each in a lane: they take turns task by task, and no more batches run side by
    side than the model with most slots has.

    Args:
        clock: monotonic time in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._lanes: list[Lane] = []
        self._next_lane = 0
        self._wake: SimpleQueue[None] = SimpleQueue()
        self._idle = 0
        self._is_stopped = False
        self._on_death: Callable[[BaseException], None]
        self._threads: list[threading.Thread] = []

    def start(self, on_death: Callable[[BaseException], None]) -> None:
        """Says whom to tell; threads start with the first lane.

        Args:
            on_death: called, in the thread, with what ended one that should have gone on.
        """
        self._on_death = on_death

    def open(
        self,
        scheduler: Scheduler,
        work: Callable[[Task], Done],
        refuse: Callable[[QueuedImage], None],
        threads: int,
    ) -> Lane:
        """Makes a lane.

        Args:
            scheduler: says what is next; only the pool may use it from here on.
            work: does one task, in one of the threads.
            refuse: answers an image that no thread will take any more.
            threads: how many there must be for this lane alone; lanes share them.
        """
        lane = Lane(self, scheduler, work, refuse)
        with self._lock:
            self._lanes.append(lane)
        while len(self._threads) < threads:
            name = f"worker-{len(self._threads)}"
            self._threads.append(thread := threading.Thread(target=self._work, name=name))
            thread.start()
        return lane

    def wake(self, images: int) -> None:
        """So many images have come."""
        # A thread counts itself as idle before it looks a last time. So either it sees these
        # images, or it is seen here.
        for _ in range(min(self._idle, images)):
            self._wake.put(None)

    def overdue(self, lane: Lane, seconds: float) -> Sequence[Infer]:
        """See `Lane`."""
        with self._lock:
            return lane.scheduler.overdue(self._clock() - seconds)

    def close(self, lane: Lane) -> None:
        """See `Lane`."""
        with self._lock:
            lane.is_closed = True
            if lane in self._lanes:
                self._lanes.remove(lane)
        self._refuse_all(lane)

    def stop(self) -> None:
        """Closes all lanes, and ends the threads after what they are doing.

        Does not wait for them: one may hang.
        """
        self._is_stopped = True
        for _ in self._threads:
            self._wake.put(None)
        for lane in list(self._lanes):
            self.close(lane)

    def _work(self) -> None:
        done: list[tuple[Lane, Done]] = []
        try:
            while (found := self._next(done)) is not None:
                lane, task = found
                done.append((lane, lane.work(task)))
                del found, lane, task  # an idle thread must keep neither image nor model alive
        except BaseException as error:  # noqa: BLE001 - whatever it is, the thread is lost
            self._on_death(error)

    def _next(self, done: list[tuple[Lane, Done]]) -> tuple[Lane, Task] | None:
        """The next task.

        Args:
            done: what became of the last one; it is emptied.
        """
        while not self._is_stopped and threading.main_thread().is_alive():
            with self._lock:
                self._settle(done)
                found = self._take()
                if not isinstance(found, Idle):
                    return found
                self._idle += 1
                if any(lane.come for lane in self._lanes):
                    self._idle -= 1
                    continue
            seconds = _LOOK_UP_SECONDS if found.seconds is None else found.seconds
            with contextlib.suppress(Empty):
                self._wake.get(timeout=min(_LOOK_UP_SECONDS, seconds))
            with self._lock:
                self._idle -= 1
        with self._lock:
            self._settle(done)
        for lane in list(self._lanes):
            self._refuse_all(lane)
        return None

    def _settle(self, done: list[tuple[Lane, Done]]) -> None:
        """Tells the scheduler what became of the last task."""
        if not done:
            return
        lane, tell = done.pop()
        lane.tasks -= 1
        tell(lane.scheduler)
        if lane.is_closed:  # nobody would take what came out of it
            for image in lane.scheduler.clear():
                lane.refuse(image)

    def _take(self) -> tuple[Lane, Task] | Idle:
        seconds: float | None = None
        lanes = self._lanes
        others = NO_OTHERS
        now = self._clock()
        for offset in range(len(lanes)):
            index = (self._next_lane + offset) % len(lanes)
            lane = lanes[index]
            while lane.come:
                lane.scheduler.add(lane.come.popleft())
            if len(lanes) > 1:
                others = self._others(lane)
            task = lane.scheduler.next(now, others)
            if not isinstance(task, Idle):
                self._next_lane = index + 1
                lane.tasks += 1
                return lane, task
            if task.seconds is not None:
                seconds = task.seconds if seconds is None else min(seconds, task.seconds)
        return Idle(seconds)

    def _others(self, own: Lane) -> Others:
        """What the other lanes leave to one."""
        schedulers = [lane.scheduler for lane in self._lanes]
        most = max(scheduler.slots for scheduler in schedulers)
        return Others(
            may_run=sum(scheduler.running for scheduler in schedulers) < most,
            may_decode_large=not any(scheduler.decodes_large for scheduler in schedulers),
            are_idle=all(lane is own or lane.is_idle for lane in self._lanes),
        )

    def _refuse_all(self, lane: Lane) -> None:
        with self._lock:
            images = lane.scheduler.clear()
            while lane.come:
                images.append(lane.come.popleft())
        for image in images:
            lane.refuse(image)
