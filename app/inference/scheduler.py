"""What the next free thread does: a state machine without threads and without a clock."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from app.engines.engine import Slot
from app.inference.priority import Priority, Turns
from app.inference.queued_image import QueuedImage

# While both kinds wait, every eighth turn goes to bulk, so that it advances.
_BULK_EVERY = 8
# How long after an interactive image bulk still makes way for the next one.
_MAKES_WAY_SECONDS = 1.0
# For each slot so many of the largest batches are many. With 1 the p99 at 70 % of the capacity rose
# by a fifth, with 1.5 not at all (docs/performance.md).
_MANY = 1.5
# Most images that a process decodes at once. Each hand-over takes the interpreter's lock several
# times, however many images it is for (docs/gpu.md).
_MOST_TOGETHER = 8


@dataclass(frozen=True, slots=True)
class Decode:
    """Images to decode.

    Attributes:
        images: one, or several that a process decodes.
        is_large: whether it is one that may take much memory, which one at a time may.
    """

    images: Sequence[QueuedImage]
    is_large: bool


@dataclass(frozen=True, slots=True, eq=False)
class Infer:
    """A batch to run.

    Attributes:
        batch: decoded images of one kind.
        slot: what runs it.
        started: when the scheduler gave it out.
    """

    batch: Sequence[QueuedImage]
    slot: Slot
    started: float


@dataclass(frozen=True, slots=True)
class Idle:
    """Nothing to do.

    Attributes:
        seconds: until there may be something without anything having come; None if never.
    """

    seconds: float | None


Task = Decode | Infer


@dataclass(slots=True)
class _Kind:
    """The images of one priority, by what they wait for."""

    encoded: Turns[QueuedImage] = field(default_factory=Turns)
    large: Turns[QueuedImage] = field(default_factory=Turns)
    decoded: Turns[QueuedImage] = field(default_factory=Turns)

    def __len__(self) -> int:
        return len(self.encoded) + len(self.large) + len(self.decoded)


class Others(NamedTuple):
    """What other models leave of the machine.

    Attributes:
        may_run: whether a batch may begin.
        may_decode_large: whether an image may be decoded that may take much memory.
        are_idle: whether they do nothing.
    """

    may_run: bool
    may_decode_large: bool
    are_idle: bool


NO_OTHERS = Others(may_run=True, may_decode_large=True, are_idle=True)


class Scheduler:
    """Keeps the cores busy, and lets batches fill by themselves.

    A free thread takes, in this order, a full batch to run, else an image to decode, else whatever
    is decoded. So no core idles while there is work, and batches grow exactly when images come
    faster than they are run. Interactive images go first, callers take turns, and a batch is of
    one kind: an interactive image does not wait for bulk to be computed with it.

    While interactive images come, bulk makes way: one of several slots is kept from it, so that
    the next interactive image need not wait for a batch of bulk to end, and its batches are at
    most half as large, so that it shares the cores with less of it; its images are decoded one by
    one.

    A batch that has the cores to itself, with nothing else to do or under way, goes to a slot of
    its own, whose runs use all of them. What comes meanwhile does not wait for it.

    Args:
        slots: what runs batches; each runs one at a time.
        lone_slot: what runs a batch that has the cores to itself; None if that is any slot.
        max_batch_size: most images in a batch.
        usual_batch_size: the most while few images wait, so that none waits long for a run; None if
            that is `max_batch_size`.
        max_delay_seconds: how long a batch that is not full waits for more images.
        shares_device: whether slots run on one device, which computes one large batch sooner than
            two small ones. Then a batch begins beside another of its kind only if it is at least
            half full, and grows until then.
        decoders: how many processes decode. When more images wait than these can take one by one,
            each gets several at once. None if threads decode, which get one each.
    """

    def __init__(
        self,
        slots: Sequence[Slot],
        lone_slot: Slot | None = None,
        *,
        max_batch_size: int,
        usual_batch_size: int | None = None,
        max_delay_seconds: float = 0.0,
        shares_device: bool = False,
        decoders: int | None = None,
    ) -> None:
        self.slots = len(slots)
        """How many there are."""
        self._free = list(slots)
        self._lone_slot = lone_slot
        self._decoding = 0
        self._max_batch_size = max_batch_size
        self._usual_batch_size = usual_batch_size or max_batch_size
        self._max_delay = max_delay_seconds
        self._shares_device = shares_device
        self._decoders = decoders
        self._kinds: dict[Priority, _Kind] = {"interactive": _Kind(), "bulk": _Kind()}
        self._since_bulk = 0
        self._interactive_at = float("-inf")
        self._large: QueuedImage | None = None
        self._running: dict[Slot, Infer] = {}

    @property
    def waiting(self) -> int:
        """Images that wait for a thread or for a batch."""
        return sum(map(len, self._kinds.values()))

    @property
    def running(self) -> int:
        """Batches that are under way."""
        return len(self._running)

    @property
    def decodes_large(self) -> bool:
        """Whether an image is decoded that may take much memory."""
        return self._large is not None

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing to do and nothing under way."""
        return not (self._running or self._decoding or self.waiting)

    def add(self, image: QueuedImage) -> None:
        """An encoded image has come."""
        kind = image.caller.priority
        if kind == "interactive":
            self._interactive_at = image.queued
        self._kinds[kind].encoded.push(image, image.caller.client)

    def postpone(self, image: QueuedImage) -> None:
        """An image cannot be decoded beside others: it comes again when it is its turn."""
        self._decoding -= 1
        self._kinds[image.caller.priority].large.push(image, image.caller.client)

    def decoded(self, image: QueuedImage) -> None:
        """An image's decoding has ended; without pixels it has failed."""
        self._decoding -= 1
        if self._large is image:
            self._large = None
        if image.pixels is not None:
            self._kinds[image.caller.priority].decoded.push(image, image.caller.client)

    def finished(self, task: Infer) -> None:
        """A batch has come back from its slot."""
        if self._running.pop(task.slot, None) is task and task.slot is not self._lone_slot:
            self._free.append(task.slot)

    def overdue(self, started_before: float) -> list[Infer]:
        """The batches that were begun before this time and are still under way."""
        return [task for task in self._running.values() if task.started < started_before]

    def clear(self) -> list[QueuedImage]:
        """Forgets, and returns, all images that have no answer yet, but for those in decoding."""
        images = [image for task in self._running.values() for image in task.batch]
        self._running.clear()
        for kind in self._kinds.values():
            for turns in (kind.encoded, kind.large, kind.decoded):
                while turns:
                    images.append(turns.pop())
        return images

    def next(self, now: float, others: Others = NO_OTHERS) -> Task | Idle:
        """Gives out the next task.

        Args:
            now: on the images' clock.
            others: what other models leave.
        """
        bulk_waits = len(self._kinds["bulk"]) > 0
        is_bulks_turn = bulk_waits and self._since_bulk >= _BULK_EVERY - 1
        order: tuple[Priority, Priority] = (
            ("bulk", "interactive") if is_bulks_turn else ("interactive", "bulk")
        )
        for priority in order:
            kind = self._kinds[priority]
            if kind and (task := self._task(priority, kind, now, others)):
                self._since_bulk = 0 if priority == "bulk" else self._since_bulk + bulk_waits
                return task
        return Idle(self._seconds_to_wait(now))

    def _task(self, priority: Priority, kind: _Kind, now: float, others: Others) -> Task | None:
        largest, has_slot = self._largest(kind), others.may_run and bool(self._free)
        together = self._decoded_together(kind)
        if priority == "bulk" and self._makes_way_seconds(now) > 0:
            largest, together = max(1, largest // 2), 1
            has_slot = has_slot and (len(self._free) > 1 or self.slots == 1)
        if (
            has_slot
            and len(kind.decoded) >= largest
            and (batch := _take(kind.decoded, largest, now))
        ):
            return self._run(batch, now, others)
        may_decode_large = others.may_decode_large and self._large is None
        if may_decode_large and (image := _first(kind.large, now)):
            self._large = image
            self._decoding += 1
            return Decode([image], is_large=True)
        if images := _take(kind.encoded, together, now):
            self._decoding += len(images)
            return Decode(images, is_large=False)
        is_due = has_slot and self._delay_seconds(kind, now) <= 0
        if self._shares_device and 2 * len(kind.decoded) < largest:
            is_due = is_due and not self._runs(priority)
        if is_due and (batch := _take(kind.decoded, largest, now)):
            return self._run(batch, now, others)
        return None

    def _runs(self, priority: Priority) -> bool:
        return any(task.batch[0].caller.priority == priority for task in self._running.values())

    def _run(self, batch: Sequence[QueuedImage], now: float, others: Others) -> Infer:
        is_alone = others.are_idle and self.is_idle
        slot = self._lone_slot if is_alone and self._lone_slot else self._free.pop()
        self._running[slot] = task = Infer(batch, slot, now)
        return task

    def _largest(self, kind: _Kind) -> int:
        many = _MANY * self.slots * self._max_batch_size
        return self._max_batch_size if len(kind) >= many else self._usual_batch_size

    def _decoded_together(self, kind: _Kind) -> int:
        """How many images of a kind are decoded as one task: every decoder gets its share."""
        if self._decoders is None:
            return 1
        return min(max(len(kind.encoded) // self._decoders, 1), _MOST_TOGETHER)

    def _delay_seconds(self, kind: _Kind, now: float) -> float:
        """How long a batch that is not full still waits for more images."""
        if not self._max_delay:
            return 0.0
        oldest = min((image.decoded for image in kind.decoded.heads()), default=now)
        return oldest + self._max_delay - now

    def _makes_way_seconds(self, now: float) -> float:
        """How much longer bulk makes way; 0 or less if it does not."""
        return self._interactive_at + _MAKES_WAY_SECONDS - now

    def _seconds_to_wait(self, now: float) -> float | None:
        waits = [
            wait
            for kind in self._kinds.values()
            if kind.decoded and (wait := self._delay_seconds(kind, now)) > 0
        ]
        if self._kinds["bulk"].decoded and (wait := self._makes_way_seconds(now)) > 0:
            waits.append(wait)
        return min(waits, default=None)


def _first(turns: Turns[QueuedImage], now: float) -> QueuedImage | None:
    """The first image that is still wanted; those before it are dropped."""
    while turns:
        image = turns.pop()
        if image.is_wanted(now):
            return image
    return None


def _take(turns: Turns[QueuedImage], most: int, now: float) -> list[QueuedImage]:
    """The first images that are still wanted."""
    taken: list[QueuedImage] = []
    while len(taken) < most and (image := _first(turns, now)):
        taken.append(image)
    return taken
