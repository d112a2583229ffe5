"""Batches form from what waits, and one image's fate is nobody else's."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from app.contract.errors import DeadlineExceeded, Draining, EngineHung, InferenceFailed, NotReady
from app.inference.batch_queue import Inference
from app.inference.batcher import Batcher
from app.inference.priority import Priority
from app.telemetry.metrics import Metrics
from tests.support.clock import Clock
from tests.support.engines import FakeEngine

FOREVER = float("inf")
LOGITS: frozenset[str] = frozenset({"logits"})
Make = Callable[..., Awaitable[Batcher]]


def echo(images: NDArray[np.uint8], outputs: Collection[str]) -> dict[str, NDArray[np.float32]]:
    """Each image's first pixel as its logits, so that an answer shows whose it is."""
    own = images[:, 0, 0, :].astype(np.float32)
    return dict.fromkeys(outputs, own)


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine(respond=echo)


@pytest.fixture
def deaths() -> list[BaseException]:
    return []


@pytest.fixture
async def make(metrics: Metrics, clock: Clock, deaths: list[BaseException]) -> AsyncIterator[Make]:
    """Makes started batchers, and stops them."""
    made: list[tuple[Batcher, FakeEngine]] = []

    async def make(engine: FakeEngine, **options: float) -> Batcher:
        own: dict[str, Any] = {"max_batch_size": 4} | options
        batcher = Batcher(
            engine,
            metrics,
            ("m", "1"),
            clock=clock,
            **own,
        )
        batcher.start(on_death=deaths.append)
        made.append((batcher, engine))
        return batcher

    yield make
    for batcher, engine in made:
        engine.gate.open()
        await batcher.stop()


def submit(
    batcher: Batcher,
    number: int,
    *,
    priority: Priority = "interactive",
    deadline: float = FOREVER,
    outputs: frozenset[str] = LOGITS,
) -> "asyncio.Task[Inference]":
    image = np.full((2, 2, 3), number, np.uint8)
    return asyncio.create_task(
        batcher.submit(image, outputs=outputs, deadline=deadline, priority=priority)
    )


async def held(engine: FakeEngine, count: int = 1) -> None:
    """Returns once so many batches are held at the engine's gate."""
    await asyncio.to_thread(engine.gate.wait_until_held, count)


async def settle() -> None:
    """Lets every task that can run now run until it waits."""
    for _ in range(10):
        await asyncio.sleep(0)


def numbers(engine: FakeEngine) -> list[list[int]]:
    """The numbers of the images in each batch so far."""
    return [[int(image[0, 0, 0]) for image in batch] for batch in engine.batches]


def number(inference: Inference) -> int:
    return int(inference.outputs["logits"][0])


async def busy(batcher: Batcher, engine: FakeEngine) -> "asyncio.Task[Inference]":
    """Occupies the only slot with image 0."""
    engine.gate.close()
    first = submit(batcher, 0)
    await held(engine)
    return first


async def test_a_free_slot_takes_a_lone_image_at_once(make: Make, engine: FakeEngine) -> None:
    batcher = await make(engine)
    inference = await submit(batcher, 7)
    assert number(inference) == 7
    assert inference.batch_size == 1


async def test_what_gathers_meanwhile_goes_together_up_to_the_limit(
    make: Make, engine: FakeEngine
) -> None:
    batcher = await make(engine, max_batch_size=4)
    first = await busy(batcher, engine)
    others = [submit(batcher, index) for index in range(1, 7)]
    await settle()
    engine.gate.open()
    answers = await asyncio.gather(first, *others)
    assert [number(answer) for answer in answers] == list(range(7))
    assert numbers(engine) == [[0], [1, 2, 3, 4], [5, 6]]
    assert [answer.batch_size for answer in answers] == [1, 4, 4, 4, 4, 2, 2]


async def test_every_slot_works(make: Make) -> None:
    engine = FakeEngine(slots=3, respond=echo)
    batcher = await make(engine, max_batch_size=1)
    engine.gate.close()
    tasks = [submit(batcher, index) for index in range(4)]
    await held(engine, 3)
    assert len(engine.batches) == 3
    engine.gate.open()
    assert [number(answer) for answer in await asyncio.gather(*tasks)] == [0, 1, 2, 3]


async def test_with_a_delay_a_batch_waits_until_it_is_full(make: Make, engine: FakeEngine) -> None:
    batcher = await make(engine, max_batch_size=3, max_queue_delay_seconds=3600)
    tasks = [submit(batcher, 1), submit(batcher, 2)]
    await settle()
    assert engine.batches == []
    tasks.append(submit(batcher, 3))
    await asyncio.gather(*tasks)
    assert numbers(engine) == [[1, 2, 3]]


async def test_with_a_delay_a_batch_waits_no_longer_than_that(
    make: Make, engine: FakeEngine, clock: Clock
) -> None:
    batcher = await make(engine, max_batch_size=3, max_queue_delay_seconds=3600)
    first = submit(batcher, 1)
    await settle()
    # Two more fill this batch; a fourth, alone, is as old as the delay when its turn comes.
    engine.gate.close()
    second, third = submit(batcher, 2), submit(batcher, 3)
    await held(engine)
    fourth = submit(batcher, 4)
    await settle()
    clock.now += 3601
    engine.gate.open()
    await asyncio.gather(first, second, third, fourth)
    assert numbers(engine) == [[1, 2, 3], [4]]


async def test_slots_that_find_nothing_left_go_on_waiting(
    make: Make, deaths: list[BaseException]
) -> None:
    batcher = await make(FakeEngine(slots=3, respond=echo))
    for index in range(5):
        assert number(await submit(batcher, index)) == index
    assert deaths == []


async def test_a_batch_is_of_one_kind(make: Make, engine: FakeEngine) -> None:
    batcher = await make(engine, max_batch_size=8)
    tasks = [await busy(batcher, engine)]
    tasks += [submit(batcher, 100 + index, priority="bulk") for index in range(3)]
    tasks += [submit(batcher, index) for index in range(1, 3)]
    await settle()
    engine.gate.open()
    await asyncio.gather(*tasks)
    assert numbers(engine) == [[0], [1, 2], [100, 101, 102]]


async def test_interactive_goes_first_and_every_eighth_batch_is_bulk(
    make: Make, engine: FakeEngine
) -> None:
    batcher = await make(engine, max_batch_size=1)
    tasks = [await busy(batcher, engine)]
    tasks += [submit(batcher, 100 + index, priority="bulk") for index in range(3)]
    tasks += [submit(batcher, index) for index in range(1, 21)]
    await settle()
    engine.gate.open()
    await asyncio.gather(*tasks)
    order = [number for batch in numbers(engine) for number in batch]
    assert [index for index in order if index < 100] == list(range(21))
    assert [index for index in order if index >= 100] == [100, 101, 102]
    # Image 0 ran before they came. The last one comes early: no interactive one is left.
    assert [place for place, index in enumerate(order) if index >= 100] == [8, 16, 23]


@pytest.mark.parametrize(
    ("seconds_later", "batches"),
    [(0.9, [[1, 2], [3, 4], [5]]), (1.1, [[1, 2, 3, 4], [5]])],
    ids=["beside interactive images", "alone"],
)
async def test_bulk_goes_in_half_batches_while_interactive_images_come(
    make: Make,
    engine: FakeEngine,
    clock: Clock,
    seconds_later: float,
    batches: list[list[int]],
) -> None:
    batcher = await make(engine, max_batch_size=4)
    first = await busy(batcher, engine)
    tasks = [submit(batcher, index, priority="bulk") for index in range(1, 6)]
    await settle()
    clock.now += seconds_later
    engine.gate.open()
    await asyncio.gather(first, *tasks)
    assert numbers(engine) == [[0], *batches]


async def test_a_slot_is_kept_from_bulk_while_interactive_images_come(
    make: Make, clock: Clock
) -> None:
    engine = FakeEngine(slots=2, respond=echo)
    batcher = await make(engine, max_batch_size=2)
    await submit(batcher, 0)
    engine.gate.close()
    bulk = [submit(batcher, 100 + index, priority="bulk") for index in range(4)]
    await held(engine, 1)
    await settle()
    assert numbers(engine) == [[0], [100]]
    lone = submit(batcher, 1)
    await held(engine, 2)
    assert numbers(engine) == [[0], [100], [1]]
    engine.gate.open()
    await lone
    clock.now += 1.1
    await asyncio.gather(*bulk)


async def test_bulk_alone_gets_every_slot(make: Make) -> None:
    engine = FakeEngine(slots=2, respond=echo)
    batcher = await make(engine, max_batch_size=2)
    engine.gate.close()
    bulk = [submit(batcher, index, priority="bulk") for index in range(4)]
    await held(engine, 2)
    assert sorted(numbers(engine)) == [[0, 1], [2, 3]]
    engine.gate.open()
    await asyncio.gather(*bulk)


async def test_who_left_is_not_run(make: Make, engine: FakeEngine) -> None:
    batcher = await make(engine)
    first = await busy(batcher, engine)
    leaver, stayer = submit(batcher, 1), submit(batcher, 2)
    await settle()
    leaver.cancel()
    await settle()
    engine.gate.open()
    await asyncio.gather(first, stayer)
    assert numbers(engine) == [[0], [2]]


async def test_who_leaves_during_the_run_spoils_nothing(make: Make, engine: FakeEngine) -> None:
    batcher = await make(engine)
    first = await busy(batcher, engine)
    first.cancel()
    await settle()
    engine.gate.open()
    assert number(await submit(batcher, 1)) == 1


async def test_what_expired_in_the_queue_is_not_run(
    make: Make, engine: FakeEngine, clock: Clock
) -> None:
    batcher = await make(engine)
    first = await busy(batcher, engine)
    late = submit(batcher, 1, deadline=clock.now + 5)
    timely = submit(batcher, 2, deadline=clock.now + 6)
    await settle()
    clock.now += 5
    engine.gate.open()
    with pytest.raises(DeadlineExceeded):
        await late
    assert number(await timely) == 2
    await first
    assert numbers(engine) == [[0], [2]]


async def test_an_engine_s_error_fails_its_batch_and_no_other(
    make: Make, engine: FakeEngine, deaths: list[BaseException]
) -> None:
    def fail(images: NDArray[np.uint8], outputs: Collection[str]) -> dict[str, NDArray[np.float32]]:
        if 1 in images:
            raise MemoryError("CUDA out of memory")
        return echo(images, outputs)

    engine.respond = fail
    batcher = await make(engine, max_batch_size=2)
    first = await busy(batcher, engine)
    tasks = [submit(batcher, index) for index in (1, 2, 3)]
    await settle()
    engine.gate.open()
    outcomes = await asyncio.gather(first, *tasks, return_exceptions=True)
    assert [isinstance(outcome, InferenceFailed) for outcome in outcomes] == [
        False, True, True, False,
    ]  # fmt: skip
    assert number(await submit(batcher, 4)) == 4
    assert deaths == []


@pytest.mark.parametrize("rows", [0, 1, 3])
async def test_results_are_counted_against_inputs(
    make: Make, engine: FakeEngine, rows: int
) -> None:
    batcher = await make(engine)
    first = await busy(batcher, engine)
    tasks = [submit(batcher, 1), submit(batcher, 2)]
    await settle()
    engine.respond = lambda images, outputs: {
        name: np.zeros((rows if len(images) == 2 else 1, 3), np.float32) for name in outputs
    }
    engine.gate.open()
    await first
    for task in tasks:
        with pytest.raises(InferenceFailed):
            await task


async def test_a_missing_output_is_a_failed_inference(make: Make, engine: FakeEngine) -> None:
    engine.respond = lambda images, outputs: {}
    with pytest.raises(InferenceFailed):
        await submit(await make(engine), 1)


async def test_each_gets_the_outputs_it_asked_for(make: Make, engine: FakeEngine) -> None:
    batcher = await make(engine)
    first = await busy(batcher, engine)
    plain = submit(batcher, 1)
    curious = submit(batcher, 2, outputs=frozenset({"logits", "cam"}))
    await settle()
    engine.gate.open()
    await first
    assert set((await plain).outputs) == {"logits"}
    assert set((await curious).outputs) == {"logits", "cam"}
    assert engine.outputs == [LOGITS, {"logits", "cam"}]


async def test_times_are_measured(make: Make, engine: FakeEngine, clock: Clock) -> None:
    batcher = await make(engine)
    first = await busy(batcher, engine)
    second = submit(batcher, 1)
    await settle()
    clock.now += 2
    engine.gate.open()
    assert ((await first).queue_seconds, (await first).inference_seconds) == (0, 2)
    assert ((await second).queue_seconds, (await second).inference_seconds) == (2, 0)


async def test_stopping_answers_what_is_left(make: Make, engine: FakeEngine) -> None:
    batcher = await make(engine)
    running = await busy(batcher, engine)
    queued = submit(batcher, 1)
    await settle()
    await batcher.stop()
    for task in (running, queued):
        with pytest.raises(Draining):
            await task
    with pytest.raises(NotReady):
        await submit(batcher, 2)


async def test_an_engine_that_hangs_is_reported_and_nobody_waits_for_it(
    make: Make, engine: FakeEngine, deaths: list[BaseException]
) -> None:
    batcher = await make(engine, inference_timeout_seconds=0.05)
    hung = await busy(batcher, engine)
    queued = submit(batcher, 1)
    with pytest.raises(InferenceFailed):
        await hung
    with pytest.raises(NotReady):
        await queued
    with pytest.raises(NotReady):
        await submit(batcher, 2)
    [death] = deaths
    assert isinstance(death, EngineHung)


async def test_metrics_tell_depth_and_batches(
    make: Make, engine: FakeEngine, metrics: Metrics
) -> None:
    def sample(name: str) -> float | None:
        return metrics.registry.get_sample_value(name, {"model": "m", "version": "1"})

    batcher = await make(engine)
    first = await busy(batcher, engine)
    tasks = [submit(batcher, 1), submit(batcher, 2)]
    await settle()
    assert sample("senet_queue_depth") == 2
    engine.gate.open()
    await asyncio.gather(first, *tasks)
    assert sample("senet_queue_depth") == 0
    assert sample("senet_batch_size_count") == 2
    assert sample("senet_batch_size_sum") == 3
    assert sample("senet_queue_seconds_count") == 3
    assert sample("senet_inference_seconds_count") == 2
