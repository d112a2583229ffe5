"""What the next thread does, without threads and without a clock."""

from collections.abc import Sequence

from app.engines.engine import Slot
from app.inference.priority import Priority
from app.inference.queued_image import QueuedImage
from app.inference.scheduler import Decode, Idle, Infer, Scheduler
from tests.app.inference.images import decode, queued
from tests.support.engines import FakeEngine

NOTHING = Idle(None)


def scheduler(
    *,
    slots: int = 1,
    lone_slot: Slot | None = None,
    max_batch_size: int = 4,
    usual_batch_size: int | None = None,
    delay: float = 0.0,
    shares_device: bool = False,
    decoders: int | None = None,
) -> Scheduler:
    return Scheduler(
        FakeEngine(slots=slots).open_slots(),
        lone_slot,
        max_batch_size=max_batch_size,
        usual_batch_size=usual_batch_size,
        max_delay_seconds=delay,
        shares_device=shares_device,
        decoders=decoders,
    )


def only(task: Decode) -> QueuedImage:
    [image] = task.images
    return image


def add_decoded(
    target: Scheduler,
    numbers: Sequence[int],
    *,
    now: float = 0.0,
    priority: Priority = "interactive",
) -> None:
    """Images that are past their decoding."""
    for number in numbers:
        target.add(queued(number, priority=priority, now=now))
        task = target.next(now)
        while isinstance(task, Infer):  # what came before it goes first
            task = target.next(now)
        assert isinstance(task, Decode)
        target.decoded(decode(only(task), now))


def numbers(batch: Sequence[QueuedImage]) -> list[int]:
    return [image.data[0] for image in batch]


def infer(target: Scheduler, now: float = 0.0) -> Infer:
    task = target.next(now)
    assert isinstance(task, Infer), task
    return task


def decode_task(target: Scheduler, now: float = 0.0) -> Decode:
    task = target.next(now)
    assert isinstance(task, Decode), task
    return task


def decoding(target: Scheduler, now: float = 0.0) -> QueuedImage:
    return only(decode_task(target, now))


async def test_a_lone_image_is_decoded_and_run_at_once() -> None:
    target = scheduler()
    assert target.next(0) == NOTHING
    target.add(queued(7))
    image = decoding(target)
    assert target.next(0) == NOTHING  # it is one thread's
    target.decoded(decode(image))
    assert numbers(infer(target).batch) == [7]
    assert target.next(0) == NOTHING


async def test_a_full_batch_comes_before_decoding_and_decoding_before_a_part_of_one() -> None:
    target = scheduler(max_batch_size=2)
    for number in range(4):
        target.add(queued(number))
    target.decoded(decode(decoding(target)))
    target.decoded(decode(decoding(target)))  # a batch of one would have been possible
    assert numbers(infer(target).batch) == [0, 1]
    target.decoded(decode(decoding(target)))
    last = decoding(target)
    target.decoded(decode(last))
    assert target.next(0) == NOTHING  # the only slot is busy


async def test_what_has_the_cores_to_itself_is_run_by_all_of_them() -> None:
    [lone_slot] = FakeEngine().open_slots()
    target = scheduler(slots=2, lone_slot=lone_slot, max_batch_size=1)
    for _ in range(2):
        add_decoded(target, [0])
        alone = infer(target)
        assert alone.slot is lone_slot
        others: list[Infer] = []
        for number in (1, 2):  # what comes meanwhile does not wait for it
            add_decoded(target, [number])
            others.append(infer(target))
        assert lone_slot not in [task.slot for task in others]
        assert len({id(task.slot) for task in others}) == 2
        target.finished(alone)
        add_decoded(target, [3])
        assert target.next(0) == NOTHING  # the lone slot is for nobody who is not alone
        for task in others:
            target.finished(task)
        target.finished(infer(target))


async def test_what_is_not_alone_is_run_like_any_other() -> None:
    [lone_slot] = FakeEngine().open_slots()
    for in_company in (1, 2):
        target = scheduler(slots=2, lone_slot=lone_slot, max_batch_size=1)
        for number in range(1 + in_company):
            target.add(queued(number))
        first = decoding(target)
        if in_company == 1:
            decoding(target)  # another thread decodes
        target.decoded(decode(first))
        assert infer(target).slot is not lone_slot


async def test_a_slot_runs_one_batch_at_a_time() -> None:
    target = scheduler(slots=2, max_batch_size=1)
    add_decoded(target, [1])
    first = infer(target)
    add_decoded(target, [2])
    second = infer(target)
    assert second.slot is not first.slot
    add_decoded(target, [3])
    assert target.next(0) == NOTHING
    target.finished(first)
    assert infer(target).slot is first.slot


async def test_what_gathers_meanwhile_goes_together_up_to_the_limit() -> None:
    target = scheduler(max_batch_size=4)
    add_decoded(target, [0])
    first = infer(target)
    add_decoded(target, range(1, 7))
    target.finished(first)
    second = infer(target)
    assert numbers(second.batch) == [1, 2, 3, 4]
    target.finished(second)
    assert numbers(infer(target).batch) == [5, 6]


async def test_with_a_delay_a_batch_waits_for_more_but_no_longer_than_that() -> None:
    target = scheduler(max_batch_size=3, delay=5)
    add_decoded(target, [1], now=10)
    assert target.next(12) == Idle(3)
    add_decoded(target, [2], now=12)
    assert numbers(infer(target, 15).batch) == [1, 2]


async def test_with_a_delay_a_full_batch_goes_at_once() -> None:
    target = scheduler(max_batch_size=2, delay=5)
    add_decoded(target, [1, 2])
    assert numbers(infer(target).batch) == [1, 2]


async def test_callers_take_turns() -> None:
    target = scheduler()
    for number in (1, 2, 3):
        target.add(queued(number, client="greedy"))
    target.add(queued(4, client="modest"))
    assert [decoding(target).data[0] for _ in range(4)] == [1, 4, 2, 3]


async def test_a_batch_is_of_one_kind() -> None:
    target = scheduler(max_batch_size=4)
    add_decoded(target, [0])
    first = infer(target)
    add_decoded(target, [1, 2], priority="bulk")
    add_decoded(target, [3, 4])
    target.finished(first)
    second = infer(target)
    assert numbers(second.batch) == [3, 4]
    target.finished(second)
    assert set(numbers(infer(target).batch)) <= {1, 2}


async def test_interactive_goes_first_and_every_eighth_turn_is_bulk() -> None:
    target = scheduler()
    for number in range(20):
        target.add(queued(number))
        target.add(queued(100 + number, priority="bulk"))
    kinds = [decoding(target).caller.priority for _ in range(16)]
    assert kinds == (["interactive"] * 7 + ["bulk"]) * 2


async def test_turns_without_bulk_waiting_are_no_debt_to_it() -> None:
    target = scheduler()
    for number in range(20):
        target.add(queued(number))
    for _ in range(10):
        decoding(target)
    target.add(queued(100, priority="bulk"))
    kinds = [decoding(target).caller.priority for _ in range(8)]
    assert kinds == ["interactive"] * 7 + ["bulk"]


async def test_interactive_work_of_any_stage_comes_before_bulk() -> None:
    target = scheduler(max_batch_size=4)
    add_decoded(target, [1])
    target.add(queued(2, priority="bulk"))
    assert numbers(infer(target).batch) == [1]


async def test_bulk_goes_in_half_batches_while_interactive_images_come() -> None:
    target = scheduler(slots=2, max_batch_size=4)
    add_decoded(target, [9], now=100)
    target.finished(infer(target, 100))
    for number in range(4):
        target.add(queued(number, priority="bulk"))
    for image in [decoding(target, 100) for _ in range(4)]:
        target.decoded(decode(image, 100))
    half = infer(target, 100.5)
    assert len(half.batch) == 2
    target.finished(half)
    assert len(infer(target, 101).batch) == 2  # all there are
    add_decoded(target, range(4), now=101, priority="bulk")
    assert len(infer(target, 101).batch) == 4


async def test_a_slot_is_kept_from_bulk_while_interactive_images_come() -> None:
    target = scheduler(slots=2, max_batch_size=1)
    add_decoded(target, [0], now=100)
    target.finished(infer(target, 100))
    for number in (1, 2):
        target.add(queued(number, priority="bulk", now=100))
    for image in (decoding(target, 100), decoding(target, 100)):
        target.decoded(decode(image, 100))
    infer(target, 100)
    assert target.next(100.25) == Idle(0.75)
    add_decoded(target, [3], now=100.5)
    assert numbers(infer(target, 100.5).batch) == [3]


async def test_bulk_alone_gets_every_slot() -> None:
    target = scheduler(slots=2, max_batch_size=1)
    for number in (1, 2):
        target.add(queued(number, priority="bulk"))
    first, second = decoding(target), decoding(target)
    target.decoded(decode(first))
    target.decoded(decode(second))
    assert infer(target).slot is not infer(target).slot


async def test_who_left_or_is_too_late_gets_no_more_work() -> None:
    target = scheduler()
    leaves, late, stays = queued(1), queued(2, deadline=50), queued(3)
    for image in (leaves, late, stays):
        target.add(image)
    leaves.answers.leave()
    assert decoding(target, 50) is stays
    target.decoded(decode(stays))
    stays.answers.leave()
    assert target.next(50) == NOTHING
    assert target.waiting == 0


async def test_large_images_are_decoded_one_at_a_time_and_nobody_waits_for_them() -> None:
    target = scheduler(slots=2)
    for number in (1, 2, 3):
        target.add(queued(number))
    for image in (decoding(target), decoding(target)):
        target.postpone(image)
    first = target.next(0)
    assert isinstance(first, Decode)
    assert first.is_large
    small = target.next(0)
    assert isinstance(small, Decode)
    assert not small.is_large
    assert target.next(0) == NOTHING
    target.decoded(only(first))  # its decoding has failed
    second = target.next(0)
    assert isinstance(second, Decode)
    assert second.is_large
    assert only(second) is not only(first)


async def test_batches_that_take_too_long_are_told() -> None:
    target = scheduler(slots=2, max_batch_size=1)
    add_decoded(target, [1], now=10)
    hung = infer(target, 10)
    add_decoded(target, [2], now=20)
    infer(target, 20)
    assert target.overdue(15) == [hung]
    target.finished(hung)
    assert target.overdue(15) == []


async def test_clearing_gives_back_all_that_has_no_answer() -> None:
    target = scheduler(max_batch_size=1)
    add_decoded(target, [1])
    running = infer(target)
    add_decoded(target, [2])
    target.add(queued(3, priority="bulk"))
    assert sorted(numbers(target.clear())) == [1, 2, 3]
    assert target.next(0) == NOTHING
    target.finished(running)  # its slot comes back all the same, and hurts nobody


async def test_processes_decode_several_images_at_once_when_more_wait_than_there_are() -> None:
    target = scheduler(decoders=2, max_batch_size=32)
    for number in range(20):
        target.add(queued(number))
    sizes = []
    while isinstance(task := target.next(0), Decode):
        sizes.append(len(task.images))
        for image in task.images:
            target.decoded(decode(image))
    # At most eight; the last ones are shared among both.
    assert sizes == [8, 6, 3, 1, 1, 1]
    assert isinstance(task, Infer)
    assert numbers(task.batch) == list(range(20))


async def test_of_images_given_out_together_nobody_decodes_those_that_nobody_waits_for() -> None:
    target = scheduler(decoders=1)
    images = [queued(number) for number in range(4)]
    for image in images:
        target.add(image)
    images[1].answers.leave()
    task = decode_task(target)
    assert numbers(task.images) == [0, 2, 3]


async def test_of_images_decoded_together_the_large_one_comes_again_alone() -> None:
    target = scheduler(decoders=1)
    for number in range(2):
        target.add(queued(number))
    task = decode_task(target)
    assert not task.is_large
    small, large = task.images
    target.decoded(decode(small))
    target.postpone(large)
    again = decode_task(target)
    assert again.is_large
    assert only(again) is large


async def test_on_one_device_a_small_batch_grows_while_another_runs() -> None:
    target = scheduler(slots=2, shares_device=True, max_batch_size=4)
    add_decoded(target, [0])
    first = infer(target)
    add_decoded(target, [1])
    assert target.next(0) == NOTHING
    add_decoded(target, [2])  # half of the largest
    second = infer(target)
    assert numbers(second.batch) == [1, 2]
    add_decoded(target, [3])
    target.finished(second)
    assert target.next(0) == NOTHING
    target.finished(first)
    assert numbers(infer(target).batch) == [3]


async def test_on_one_device_interactive_does_not_wait_for_bulk() -> None:
    target = scheduler(slots=2, shares_device=True, max_batch_size=8)
    add_decoded(target, [0], priority="bulk")
    assert numbers(infer(target).batch) == [0]
    add_decoded(target, [1])
    assert numbers(infer(target).batch) == [1]


async def test_bulk_that_makes_way_is_decoded_one_by_one() -> None:
    target = scheduler(decoders=1, max_batch_size=8)
    target.add(queued(0, now=0))
    decoding(target)
    for number in range(1, 9):
        target.add(queued(number, priority="bulk", now=0))
    assert len(decode_task(target).images) == 1
    assert len(decode_task(target, now=5).images) == 7


async def test_batches_are_larger_while_many_images_wait() -> None:
    target = scheduler(slots=2, max_batch_size=4, usual_batch_size=2)
    add_decoded(target, range(2))
    assert numbers(infer(target).batch) == [0, 1]  # few wait
    for number in range(2, 14):
        target.add(queued(number))
    for _ in range(4):  # twelve wait, so that two are no full batch
        target.decoded(decode(decoding(target)))
        target.add(queued(0))
    assert numbers(infer(target).batch) == [2, 3, 4, 5]
