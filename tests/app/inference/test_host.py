"""One image's fate is nobody else's; real threads, a fake engine."""

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from app.contract.errors import DeadlineExceeded, Draining, EngineHung, InferenceFailed
from app.contract.signature import Include
from app.inference.admission import Admission, Caller
from app.inference.classification import Classification, ClassifyOptions
from app.inference.host import HostState, ModelHost
from app.inference.memory import Memory
from app.inference.observer import MetricsObserver
from app.inference.priority import Priority
from app.inference.queued_image import Answer, ClientLeft
from app.inference.visit import Visit
from app.inference.workers import Workers
from app.selection.served_model import ServedModel
from app.telemetry.metrics import Metrics
from app.telemetry.tracing import Tracing
from tests.support.clock import Clock
from tests.support.colours import COLOURS, INPUT_SIDE, colour_outputs
from tests.support.engines import FakeEngine
from tests.support.images import encode, photo
from tests.support.waiting import BOUND_SECONDS

FOREVER = float("inf")
PICTURES = [encode(photo(colour)) for colour in COLOURS[:8]]
Make = Callable[..., Awaitable[ModelHost]]


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def deaths() -> list[BaseException]:
    return []


@pytest.fixture
def clock() -> Callable[[], float]:
    return time.monotonic


@pytest.fixture
def workers(deaths: list[BaseException], clock: Callable[[], float]) -> Iterator[Workers]:
    workers = Workers(clock)
    workers.start(on_death=deaths.append)
    yield workers
    workers.stop()


@pytest.fixture
async def make(
    served: ServedModel,
    metrics: Metrics,
    workers: Workers,
    deaths: list[BaseException],
    clock: Callable[[], float],
) -> AsyncIterator[Make]:
    """Makes started hosts, and stops them."""
    made: list[tuple[ModelHost, FakeEngine]] = []

    async def make(engine: FakeEngine, inference_timeout_seconds: float = 30) -> ModelHost:
        host = ModelHost(
            served,
            engine.open_slots(),
            [MetricsObserver(metrics, served)],
            Tracing(),
            workers,
            threads=2,
            max_image_pixels=10**6,
            decoding_bytes=10**6,
            inference_timeout_seconds=inference_timeout_seconds,
            clock=clock,
        )
        host.start(on_death=deaths.append)
        made.append((host, engine))
        return host

    yield make
    for host, engine in made:
        engine.gate.open()
        await host.stop()


def visit(
    host: ModelHost,
    metrics: Metrics,
    *,
    deadline: float = FOREVER,
    priority: Priority = "interactive",
    include: frozenset[Include] = frozenset(),
) -> Visit:
    host.lease()
    return Visit(
        Caller("alice", priority),
        "127.0.0.1",
        ClassifyOptions(include=include),
        host,
        deadline,
        admission=Admission(100, metrics),
        memory=Memory(10**9, metrics),
    )


def top(answer: Answer) -> int:
    assert isinstance(answer, Classification), answer
    return answer.predictions[0].label.index


async def held(engine: FakeEngine, count: int = 1) -> None:
    """Returns once so many batches are held at the engine's gate."""
    await asyncio.to_thread(engine.gate.wait_until_held, count)


async def until(condition: Callable[[], bool]) -> None:
    """Lets the event loop run until this is so."""
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - a thread of the host changes it
            await asyncio.sleep(0.001)


async def test_images_of_a_request_are_answered_in_order(
    make: Make, engine: FakeEngine, metrics: Metrics
) -> None:
    host = await make(engine)
    answers = await host.infer(PICTURES[:], visit(host, metrics))
    assert [top(answer) for answer in answers] == list(range(8))


async def test_an_image_is_forgotten_as_soon_as_it_is_decoded(
    make: Make, engine: FakeEngine, metrics: Metrics
) -> None:
    host = await make(engine)
    engine.gate.close()
    data = bytes(bytearray(PICTURES[0]))  # nobody else's
    images = [data]
    task = asyncio.create_task(host.infer(images, visit(host, metrics)))
    await held(engine)
    assert sys.getrefcount(data) == 2  # this name and the question
    engine.gate.open()
    await task


async def test_an_image_that_is_none_fails_alone(
    make: Make, engine: FakeEngine, metrics: Metrics
) -> None:
    host = await make(engine)
    good, bad = await host.infer([PICTURES[3], b"none"], visit(host, metrics))
    assert top(good) == 3
    assert getattr(bad, "code", None) == "unsupported_image_format"


async def test_each_gets_the_outputs_it_asked_for(
    make: Make, engine: FakeEngine, metrics: Metrics
) -> None:
    host = await make(engine)
    engine.gate.close()
    first = asyncio.create_task(host.infer(PICTURES[:1], visit(host, metrics)))
    await held(engine)
    plain = asyncio.create_task(host.infer(PICTURES[1:2], visit(host, metrics)))
    full = asyncio.create_task(
        host.infer(PICTURES[2:3], visit(host, metrics, include=frozenset({"embedding", "cam"})))
    )
    await until(lambda: host.waiting == 2)
    engine.gate.open()
    [[one], [other], [_]] = await asyncio.gather(plain, full, first)
    assert isinstance(one, Classification)
    assert isinstance(other, Classification)
    assert one.embedding is None
    assert one.predictions[0].cam is None
    assert other.embedding is not None
    assert other.predictions[0].cam is not None
    assert engine.outputs[-1] == {"logits", "embedding", "cam"}


async def test_pixels_go_to_the_engine_as_they_are_and_outputs_come_by_name(
    make: Make, engine: FakeEngine, metrics: Metrics
) -> None:
    host = await make(engine)
    pixels = np.random.default_rng(1).integers(0, 256, (INPUT_SIDE, INPUT_SIDE, 3), dtype=np.uint8)
    asks = visit(host, metrics)
    asks.options = ClassifyOptions(outputs=frozenset({"logits", "embedding"}))
    [answer] = await host.infer([pixels], asks)
    [plain] = await host.infer(PICTURES[:1], visit(host, metrics))

    assert isinstance(answer, Classification)
    assert isinstance(plain, Classification)
    np.testing.assert_array_equal(engine.batches[0], pixels[None])
    expected = colour_outputs(pixels[None], ["logits", "embedding"])
    assert set(answer.outputs) == set(expected)
    for name, value in answer.outputs.items():
        np.testing.assert_array_equal(value, expected[name][0])
    assert answer.decode_seconds == 0
    assert plain.outputs == {}
    assert engine.outputs[1] == {"logits"}


async def test_an_engine_s_error_fails_its_batch_and_no_other(
    make: Make, engine: FakeEngine, metrics: Metrics
) -> None:
    host = await make(engine)
    respond = engine.respond

    def fail(*_: object) -> dict[str, NDArray[np.float32]]:
        raise RuntimeError("out of luck")

    engine.respond = fail
    [failed] = await host.infer(PICTURES[:1], visit(host, metrics))
    assert isinstance(failed, InferenceFailed)
    engine.respond = respond
    [good] = await host.infer(PICTURES[:1], visit(host, metrics))
    assert top(good) == 0


@pytest.mark.parametrize("rows", [0, 3])
async def test_results_are_counted_against_inputs(
    make: Make, engine: FakeEngine, metrics: Metrics, rows: int
) -> None:
    host = await make(engine)

    def respond(_: object, outputs: Collection[str]) -> dict[str, NDArray[np.float32]]:
        return {name: np.zeros((rows, 27), np.float32) for name in outputs}

    engine.respond = respond
    [answer] = await host.infer(PICTURES[:1], visit(host, metrics))
    assert isinstance(answer, InferenceFailed)


async def test_a_client_that_leaves_ends_the_wait(
    make: Make, engine: FakeEngine, metrics: Metrics
) -> None:
    host = await make(engine)
    engine.gate.close()
    first = asyncio.create_task(host.infer(PICTURES[:1], visit(host, metrics)))
    await held(engine)
    own = visit(host, metrics)
    leaving = asyncio.create_task(host.infer(PICTURES[1:3], own))
    await until(lambda: host.waiting == 2)
    own.leave()
    with pytest.raises(ClientLeft):
        await leaving
    engine.gate.open()
    await first
    assert len(engine.batches) == 1
    left = metrics.images.labels(host.model.name, host.model.version, "client_left")
    assert left._value.get() == 2


async def test_nothing_is_done_for_who_left_before_the_images_were_read(
    make: Make, engine: FakeEngine, metrics: Metrics
) -> None:
    own = visit(await make(engine), metrics)
    own.leave()
    with pytest.raises(ClientLeft):
        await own.classify(PICTURES[:3], held=0, seconds=30)
    assert not engine.batches
    own.close()


async def test_what_is_late_is_told_at_its_deadline(
    make: Make, engine: FakeEngine, metrics: Metrics
) -> None:
    host = await make(engine)
    engine.gate.close()
    soon = asyncio.get_running_loop().time() + 0.05
    [answer] = await host.infer(PICTURES[:1], visit(host, metrics, deadline=soon))
    assert isinstance(answer, DeadlineExceeded)


async def test_stopping_answers_what_is_left(
    make: Make, engine: FakeEngine, metrics: Metrics
) -> None:
    host = await make(engine)
    engine.gate.close()
    first = asyncio.create_task(host.infer(PICTURES[:1], visit(host, metrics)))
    await held(engine)
    second = asyncio.create_task(host.infer(PICTURES[1:2], visit(host, metrics)))
    await until(lambda: host.waiting == 1)
    await host.stop()
    for task in (first, second):
        [answer] = await task
        assert isinstance(answer, Draining)
    [late] = await host.infer(PICTURES[1:2], visit(host, metrics))
    assert isinstance(late, Draining)
    assert host.state is HostState.GONE


async def test_closing_waits_for_whoever_holds_a_lease(
    make: Make, engine: FakeEngine, metrics: Metrics
) -> None:
    host = await make(engine)
    own = visit(host, metrics)
    closing = asyncio.create_task(host.close())
    await asyncio.sleep(0)
    assert host.state is HostState.DRAINING
    [answer] = await host.infer(PICTURES[:1], own)
    assert top(answer) == 0
    assert not closing.done()
    own.close()
    own.close()  # once is enough
    await closing
    [late] = await host.infer(PICTURES[:1], visit(host, metrics))
    assert isinstance(late, Draining)


async def test_an_engine_that_hangs_is_reported_and_nobody_waits_for_it(
    make: Make, engine: FakeEngine, metrics: Metrics, deaths: list[BaseException]
) -> None:
    host = await make(engine, inference_timeout_seconds=0.05)
    engine.gate.close()
    [answer] = await host.infer(PICTURES[:1], visit(host, metrics))
    assert isinstance(answer, InferenceFailed)
    [death] = deaths
    assert isinstance(death, EngineHung)


class LookedAt(Clock):
    """Counts how often the event loop has asked for the time."""

    looks = 0

    def __call__(self) -> float:
        if threading.current_thread() is threading.main_thread():
            self.looks += 1
        return super().__call__()

    async def wait_for_looks(self, count: int) -> None:
        most = self.looks + count
        async with asyncio.timeout(BOUND_SECONDS):
            while self.looks < most:  # noqa: ASYNC110 - the watch tells nobody that it has looked
                await asyncio.sleep(0)


@pytest.mark.parametrize("clock", [LookedAt()])
async def test_a_process_that_stood_still_is_given_its_time_again(
    make: Make,
    engine: FakeEngine,
    metrics: Metrics,
    deaths: list[BaseException],
    clock: LookedAt,
) -> None:
    host = await make(engine, inference_timeout_seconds=0.05)
    engine.gate.close()
    asking = asyncio.create_task(host.infer(PICTURES[:1], visit(host, metrics)))
    await asyncio.to_thread(engine.gate.wait_until_held)
    for seconds in (1000, 0.04):
        clock.advance(seconds)
        await clock.wait_for_looks(3)
        assert not deaths
    clock.advance(0.02)  # it hangs nevertheless
    [answer] = await asking
    assert isinstance(answer, InferenceFailed)
    assert isinstance(deaths[0], EngineHung)


async def test_a_thread_that_is_lost_is_reported(
    make: Make, engine: FakeEngine, metrics: Metrics, deaths: list[BaseException]
) -> None:
    class Death(BaseException):
        """What no thread survives."""

    def die(*_: object) -> dict[str, NDArray[np.float32]]:
        raise Death

    host = await make(engine)
    engine.respond = die
    soon = asyncio.get_running_loop().time() + 0.2
    [answer] = await host.infer(PICTURES[:1], visit(host, metrics, deadline=soon))
    assert isinstance(answer, DeadlineExceeded)
    [death] = deaths
    assert isinstance(death, Death)


async def test_metrics_tell_batches_and_outcomes(
    make: Make, engine: FakeEngine, metrics: Metrics
) -> None:
    host = await make(engine)
    await host.infer([PICTURES[0], b"none"], visit(host, metrics))
    labels = {"model": host.model.name, "version": host.model.version}
    value = metrics.registry.get_sample_value
    assert value("senet_batch_size_count", labels) == 1
    assert value("senet_inference_seconds_count", labels) == 1
    assert value("senet_queue_seconds_count", labels | {"priority": "interactive"}) == 1
    assert value("senet_decode_seconds_count", labels) == 1
    assert value("senet_images_total", labels | {"outcome": "ok"}) == 1
    failed = labels | {"outcome": "unsupported_image_format"}
    assert value("senet_images_total", failed) == 1


def test_a_process_that_forgets_to_stop_them_ends_all_the_same() -> None:
    code = (
        "from app.inference.scheduler import Scheduler\n"
        "from app.inference.workers import Workers\n"
        "workers = Workers()\n"
        "workers.start(print)\n"
        "workers.open(Scheduler([], max_batch_size=1), print, print, threads=2)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)
