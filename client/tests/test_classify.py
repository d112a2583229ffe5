import asyncio
import inspect
import io
import json
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from senet_client import AsyncClient, Classification, Client, Timing, errors
from tests.conftest import Clock, Surface
from tests.fake_service import FakeService, best_class, problem, scores, transport


def test_both_clients_have_the_same_surface() -> None:
    def surface(kind: type) -> dict[str, list[inspect.Parameter]]:
        methods = {
            name: value
            for name, value in inspect.getmembers(kind, inspect.isfunction)
            if not name.startswith("_")
        }
        return {
            name: list(inspect.signature(value).parameters.values())
            for name, value in methods.items()
        }

    asynchronous = surface(AsyncClient)
    # Only this one takes images that come asynchronously as well.
    asynchronous["classify_many"][1] = surface(Client)["classify_many"][1]
    assert surface(Client) == asynchronous
    assert set(surface(Client)) == {
        "class_gates",
        "feedback",
        "classify",
        "classify_batch",
        "classify_many",
        "close",
        "explain",
        "load",
        "model",
        "models",
        "ready",
        "set_label",
        "split",
        "unload",
    }


def test_an_answer_is_typed(client: Surface) -> None:
    answer = client.classify(b"a photo", top_k=3)

    assert isinstance(answer, Classification)
    assert [prediction.rank for prediction in answer.predictions] == [1, 2, 3]
    best = answer.predictions[0]
    assert best.class_index == best_class(b"a photo")
    assert best.id == f"n{best.class_index:02}"
    assert best.label == f"class {best.class_index}"
    assert best.score == max(scores(b"a photo"))
    assert (answer.model.name, answer.model.version, answer.model.precision) == (
        "fake",
        "1",
        "fp32",
    )
    assert best.cam is None
    assert answer.embedding is None
    assert answer.name is None


def test_what_is_asked_for_travels(client: Surface, service: FakeService) -> None:
    client.classify(
        b"x",
        model="fake",
        version="1",
        top_k=2,
        min_score=0.25,
        include=["embedding", "cam"],
        priority="bulk",
    )

    _, query, _ = service.requests[-1]
    assert query == {
        "model": "fake",
        "version": "1",
        "top_k": "2",
        "min_score": "0.25",
        "include": "embedding,cam",
        "priority": "bulk",
    }


def test_embedding_and_maps_are_arrays(client: Surface) -> None:
    answer = client.classify(b"x", include=["embedding", "cam"])

    assert isinstance(answer.embedding, np.ndarray)
    assert answer.embedding.dtype == np.float32
    assert answer.embedding.shape == (10,)
    cam = answer.predictions[0].cam
    assert isinstance(cam, np.ndarray)
    assert cam.shape == (2, 3)
    assert cam[1, 2] == answer.predictions[0].class_index


def test_a_coverage_brings_the_prediction_set(client: Surface, service: FakeService) -> None:
    answer = client.classify(b"x", coverage=0.95)
    assert service.requests[-1][1]["coverage"] == "0.95"
    assert answer.prediction_set is not None
    assert [member.class_index for member in answer.prediction_set] == [
        prediction.class_index for prediction in answer.predictions[:2]
    ]
    assert answer.prediction_set[0].score == answer.predictions[0].score
    assert client.classify(b"x").prediction_set is None
    assert client.classify(b"strange", coverage=0.5).prediction_set == ()


def test_a_rejected_image_says_why(client: Surface) -> None:
    answer = client.classify(b"strange")
    assert answer.rejected
    assert answer.reason == "unlike the training photos"
    assert answer.predictions
    usual = client.classify(b"x")
    assert not usual.rejected
    assert usual.reason is None


def test_excitations_are_arrays_by_block(client: Surface) -> None:
    excitations = client.classify(b"x", include=["excitations"]).excitations

    assert excitations is not None
    assert {block: gates.tolist() for block, gates in excitations.items()} == {
        "layer1.0": [0.25, 0.5],
        "layer2.0": [1.0],
    }
    assert excitations["layer1.0"].dtype == np.float32
    assert client.classify(b"x").excitations is None


def test_an_option_that_does_not_exist_is_refused(client: Surface) -> None:
    with pytest.raises(errors.InvalidArgument, match="no option 'topk'"):
        client.classify(b"x", topk=3)


def test_no_image_is_no_request(client: Surface, service: FakeService) -> None:
    with pytest.raises(errors.InvalidArgument, match="give at least one"):
        client.classify_batch([])

    assert client.classify_many([]) == []
    assert not service.requests


def test_at_least_one_request_must_be_allowed(client: Surface) -> None:
    with pytest.raises(errors.InvalidArgument, match="concurrency must be at least 1"):
        client.classify_many([b"x"], concurrency=0)


def test_many_images_are_answered_in_order_with_their_own_errors(
    make: Callable[..., Surface], service: FakeService, tmp_path: Path
) -> None:
    client = make(images_per_request=4)
    images: list[Any] = [f"photo {number}".encode() for number in range(30)]
    images[7], images[11] = tmp_path / "gone.jpg", b"corrupt"

    results = client.classify_many(images, top_k=1)

    assert isinstance(results[7], errors.UnreadableImage)
    assert isinstance(results[11], errors.InvalidImage)
    for image, result in zip(images, results, strict=True):
        if isinstance(result, Classification):
            assert result.predictions[0].class_index == best_class(image)
    assert sum(isinstance(result, Classification) for result in results) == 28
    assert len(service.requests) == 8


@pytest.mark.parametrize("image", [b"corrupt", b"slow"])
def test_the_last_image_alone_in_its_request_may_fail_too(
    make: Callable[..., Surface], image: bytes
) -> None:
    results = make(images_per_request=2).classify_many([b"a", b"b", image])

    assert [type(result) for result in results[:2]] == [Classification, Classification]
    assert isinstance(results[2], errors.InvalidImage | errors.DeadlineExceeded)


def test_requests_are_bounded_by_bytes_too(
    make: Callable[..., Surface], service: FakeService
) -> None:
    sizes: list[int] = []
    service.on_classify = lambda images: sizes.append(sum(len(image) for image in images))

    make(bytes_per_request=10).classify_many([b"1234", b"1234", b"1234", b"1" * 50, b"12"])

    assert sorted(sizes) == [2, 4, 8, 50]


def test_images_are_read_only_as_far_as_they_are_needed(service: FakeService) -> None:
    taken = 0

    def images() -> Iterator[bytes]:
        nonlocal taken
        while True:
            taken += 1
            yield str(taken).encode()

    with Client("http://fake", transport=transport(service), images_per_request=2) as client:
        results = client.classify_many(images(), concurrency=3)
        for _ in range(10):
            next(results)
        results.close()

    assert taken <= 10 + 2 * 3 + 1


def test_a_failing_request_ends_the_results(
    make: Callable[..., Surface], service: FakeService
) -> None:
    service.max_images = 3

    with pytest.raises(errors.TooManyImages):
        make(images_per_request=4).classify_many([b"1", b"2", b"3", b"4"])


def test_models_are_typed(client: Surface) -> None:
    (model,) = client.models()

    assert (model.name, model.architecture, model.provider) == ("fake", "tiny", "cpu")
    assert (model.height, model.width, model.labels) == (64, 32, 10)


@pytest.mark.parametrize("shape", [(6, 8), (6, 8, 3), (6, 8, 4)])
def test_arrays_are_sent_as_png(
    client: Surface, service: FakeService, shape: tuple[int, ...]
) -> None:
    pixels = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
    sent: list[bytes] = []
    service.on_classify = sent.extend

    client.classify(pixels)
    client.classify_many(np.stack([pixels, pixels]) if pixels.ndim == 3 else [pixels, pixels])

    assert len(sent) == 3
    for data in sent:
        with Image.open(io.BytesIO(data)) as image:
            assert image.format == "PNG"
            assert np.array_equal(np.asarray(image), pixels)


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((6, 8, 3), np.float32),
        np.zeros((3, 6, 8), np.uint8),
        np.zeros((1, 6, 8, 3), np.uint8),
        np.zeros((6, 8, 3), bool),
        np.zeros(6, np.uint8),
    ],
)
def test_other_arrays_are_refused(client: Surface, array: Any) -> None:
    with pytest.raises(errors.InvalidArgument, match=r"a picture is uint8 \[height, width, 3\]"):
        client.classify(array)


def test_one_array_is_no_sequence_of_images(client: Surface) -> None:
    with pytest.raises(errors.InvalidArgument, match="is one image"):
        client.classify_many(np.zeros((6, 8, 3), np.uint8))


def test_an_array_without_pixels_is_that_images_error(client: Surface) -> None:
    good, bad = client.classify_many([b"x", np.zeros((0, 8, 3), np.uint8)])
    assert isinstance(good, Classification)
    assert isinstance(bad, errors.UnreadableImage)


def test_results_tell_attempts_and_timing(
    client: Surface, service: FakeService, clock: Clock
) -> None:
    service.script.append(problem(503, "draining", retry_after="2"))
    service.server_timing = "decode;dur=1.5, queue;dur=0.25, inference;dur=7, proxy;desc=x"
    answer = client.classify(b"x")

    assert answer.attempts == 2
    assert answer.timing is not None
    assert answer.timing.total_ms == pytest.approx(sum(clock.pauses) * 1000)
    told = (answer.timing.decode_ms, answer.timing.queue_ms, answer.timing.inference_ms)
    assert told == (1.5, 0.25, 7)


def test_a_service_that_tells_no_times(client: Surface) -> None:
    assert client.classify(b"x").timing == Timing(total_ms=0)


def test_results_as_json(client: Surface) -> None:
    batch = client.classify_batch([b"x", b"corrupt"], top_k=1, include=["embedding", "cam"])
    text = json.loads(json.dumps(batch.to_dict()))

    good, bad = text["results"]
    assert good["predictions"][0]["label"] == f"class {best_class(b'x')}"
    assert len(good["embedding"]) == 10
    assert len(good["predictions"][0]["cam"]) == 2
    assert (text["model"]["name"], text["attempts"], good["attempts"]) == ("fake", 1, 1)
    assert bad["error"] == {"code": "invalid_image", "message": "Corrupt: truncated"}
    assert bad["name"] is None


async def test_images_may_come_asynchronously(service: FakeService) -> None:
    async def images() -> AsyncIterator[bytes]:
        for number in range(10):
            await asyncio.sleep(0)
            yield b"corrupt" if number == 4 else str(number).encode()

    async with AsyncClient(
        "http://fake", transport=transport(service), images_per_request=4
    ) as client:
        results = [result async for result in client.classify_many(images(), concurrency=2)]

    codes = [None if isinstance(one, Classification) else one.code for one in results]
    assert codes == [None] * 4 + ["invalid_image"] + [None] * 5
    assert [
        one.predictions[0].class_index for one in results if isinstance(one, Classification)
    ] == [best_class(str(number).encode()) for number in range(10) if number != 4]
    assert len([path for path, _, _ in service.requests if path == "/classify"]) == 3


async def test_closing_cancels_what_was_left() -> None:
    under_way, cancelled = asyncio.Event(), asyncio.Event()

    async def never(request: httpx.Request) -> httpx.Response:
        under_way.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()
        raise AssertionError("it never ends")

    client = AsyncClient("http://fake", transport=httpx.MockTransport(never))
    results = client.classify_many([b"1", b"2"])
    waiting = asyncio.ensure_future(anext(results))
    await under_way.wait()
    await client.close()
    assert cancelled.is_set()
    with pytest.raises(asyncio.CancelledError):
        await waiting
