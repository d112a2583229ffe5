"""A service at capacity, failing engines, passed deadlines and clients that leave."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import httpx
import numpy as np
import pytest

from app.settings import Settings
from tests.support.colours import COLOURS, colour_outputs
from tests.support.engines import FakeEngine, FakeEngines
from tests.support.http import (
    RawConnection,
    assert_problem,
    post_image,
    post_json,
    top_classes,
)
from tests.support.images import encode, photo
from tests.support.metrics import samples, value
from tests.support.server import LiveServer, running
from tests.support.waiting import eventually

MODEL = {"model": "colours", "version": "1"}
PICTURES = [encode(photo(colour)) for colour in COLOURS]


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def server(make_settings: Callable[..., Settings], engine: FakeEngine) -> Iterator[LiveServer]:
    settings = make_settings(max_queue_size=16, max_images_per_request=16)
    with running(settings, FakeEngines(engine)) as live:
        yield live


@pytest.fixture
def threads(engine: FakeEngine) -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(64) as pool:
        yield pool
        engine.gate.open()  # nobody is left waiting, also after a failed assertion


def in_flight(client: httpx.Client) -> float:
    return value(client, "senet_images_in_flight")


def test_64_clients_each_get_the_answer_to_their_own_photo(
    make_settings: Callable[..., Settings], engine: FakeEngine, threads: ThreadPoolExecutor
) -> None:
    with running(make_settings(), FakeEngines(engine)) as live, live.client() as client:
        engine.gate.close()
        answers = [threads.submit(classify_alone, live, PICTURES[index]) for index in range(64)]
        eventually(lambda: in_flight(client) == 64)
        engine.gate.open()
        assert [top_classes(answer.result()) for answer in answers] == [
            [index] for index in range(64)
        ]
        seen = samples(client)
        below = seen["senet_batch_size_bucket", frozenset({**MODEL, "le": "4.0"}.items())]
        batches = seen["senet_batch_size_count", frozenset(MODEL.items())]
        images = seen["senet_batch_size_sum", frozenset(MODEL.items())]
        assert images == 64
        assert batches - below >= 7  # with 64 waiting, all but the first and last are of 8


def classify_alone(live: LiveServer, data: bytes) -> httpx.Response:
    with live.client() as client:
        return post_image(client, data)


def occupy(
    live: LiveServer, threads: ThreadPoolExecutor, engine: FakeEngine, images: int
) -> Future[httpx.Response]:
    """Closes the engine's gate and lets one request with so many images into the service."""
    engine.gate.close()

    def send() -> httpx.Response:
        with live.client() as client:
            return post_json(client, [("", picture) for picture in PICTURES[:images]])

    request = threads.submit(send)
    engine.gate.wait_until_held()
    return request


def test_overloaded(server: LiveServer, engine: FakeEngine, threads: ThreadPoolExecutor) -> None:
    with server.client() as client:
        inside = occupy(server, threads, engine, 16)
        eventually(lambda: in_flight(client) == 16)
        response = post_image(client, PICTURES[0])
        assert_problem(response, 429, "overloaded")
        assert int(response.headers["retry-after"]) >= 1
        assert value(client, "senet_rejected_total", reason="capacity") == 1
        engine.gate.open()
        assert top_classes(inside.result()) == list(range(16))
        assert top_classes(post_image(client, PICTURES[5])) == [5]


def test_a_request_that_does_not_fit_whole_is_refused_whole(
    server: LiveServer, engine: FakeEngine, threads: ThreadPoolExecutor
) -> None:
    with server.client() as client:
        inside = occupy(server, threads, engine, 10)
        eventually(lambda: in_flight(client) == 10)
        images = [("", picture) for picture in PICTURES[:7]]
        assert_problem(post_json(client, images), 429, "overloaded")
        assert in_flight(client) == 10
        engine.gate.open()
        assert inside.result().status_code == 200
        assert post_json(client, images).status_code == 200


def test_overload_is_told_before_the_body_is_sent(
    server: LiveServer, engine: FakeEngine, threads: ThreadPoolExecutor
) -> None:
    occupy(server, threads, engine, 16)
    with RawConnection(server.port) as connection, server.client() as client:
        eventually(lambda: in_flight(client) == 16)
        connection.send_head("content-type: image/png", "content-length: 1000000")
        assert connection.read_answer().startswith(b"HTTP/1.1 429 ")


def test_inference_failed(server: LiveServer, engine: FakeEngine) -> None:
    def fail(*_: object) -> dict[str, object]:
        raise RuntimeError("CUDA out of memory")

    with server.client() as client:
        engine.respond = fail  # type: ignore[assignment]
        problem = assert_problem(post_image(client, PICTURES[0]), 500, "inference_failed")
        assert "CUDA" not in problem["detail"]
        engine.respond = colour_outputs
        assert top_classes(post_image(client, PICTURES[0])) == [0]


def test_logits_that_are_no_numbers_are_a_failed_inference(
    server: LiveServer, engine: FakeEngine
) -> None:
    with server.client() as client:
        engine.respond = lambda images, outputs: {
            "logits": np.full((len(images), len(COLOURS)), np.nan, np.float32)
        }
        assert_problem(post_image(client, PICTURES[0]), 500, "inference_failed")


def test_deadline_exceeded_in_the_engine_and_in_the_queue(
    server: LiveServer, engine: FakeEngine
) -> None:
    with server.client() as client:
        engine.gate.close()
        before = len(engine.batches)
        for data in PICTURES[:2]:
            response = post_image(client, data, headers={"x-request-timeout-ms": "30"})
            assert_problem(response, 504, "deadline_exceeded")
        engine.gate.open()
        assert top_classes(post_image(client, PICTURES[2])) == [2]
        # The second one's deadline passed in the queue, so it was never run.
        assert [len(batch) for batch in engine.batches[before:]] == [1, 1]


def test_a_client_may_not_ask_for_more_time_than_the_service_grants(
    make_settings: Callable[..., Settings],
) -> None:
    engine = FakeEngine()
    settings = make_settings(request_timeout_ms=30)
    with running(settings, FakeEngines(engine)) as live, live.client() as client:
        engine.gate.close()
        response = post_image(client, PICTURES[0], headers={"x-request-timeout-ms": "3600000"})
        engine.gate.open()
        assert_problem(response, 504, "deadline_exceeded")


def test_a_client_that_leaves_the_queue_is_not_run_and_delays_nobody(
    server: LiveServer, engine: FakeEngine, threads: ThreadPoolExecutor
) -> None:
    with server.client() as client:
        first = occupy(server, threads, engine, 1)
        before = len(engine.batches)
        leaver = RawConnection(server.port)
        leaver.send_head("content-type: image/png", f"content-length: {len(PICTURES[1])}")
        leaver.send(PICTURES[1])
        mate = threads.submit(classify_alone, server, PICTURES[2])
        eventually(lambda: value(client, "senet_queue_depth", **MODEL) == 2)
        leaver.close()
        eventually(lambda: in_flight(client) == 2)
        engine.gate.open()
        assert top_classes(first.result()) == [0]
        assert top_classes(mate.result()) == [2]
        [batch] = engine.batches[before:]
        assert len(batch) == 1
        assert value(client, "senet_requests_total", route="/classify", status="499") == 1
        assert in_flight(client) == 0


def test_a_client_that_leaves_while_its_image_is_run_spoils_nothing(
    server: LiveServer, engine: FakeEngine
) -> None:
    with server.client() as client:
        engine.gate.close()
        with RawConnection(server.port) as leaver:
            leaver.send_head("content-type: image/png", f"content-length: {len(PICTURES[1])}")
            leaver.send(PICTURES[1])
            engine.gate.wait_until_held()
        eventually(lambda: in_flight(client) == 0)
        engine.gate.open()
        assert top_classes(post_image(client, PICTURES[2])) == [2]
