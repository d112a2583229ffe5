"""An answer that would be too large is refused before anything is computed for it."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import httpx
import pytest

from app.contract.errors import AnswerTooLarge, OutputNotAvailable
from app.contract.manifest import Manifest
from app.contract.signature import Signature
from app.engines.engine import Layout
from app.inference.classification import ClassifyOptions
from app.selection.served_model import ServedModel
from app.settings import Settings
from app.transport.http.answer_weight import answer_bytes, check_weight
from tests.support.colours import COLOURS
from tests.support.engines import FakeEngine, FakeEngines
from tests.support.http import RawConnection, assert_problem, assert_raw_problem, post_image
from tests.support.images import encode, photo
from tests.support.repository import colour_manifest, in_schema_1
from tests.support.server import LiveServer, running

PICTURE = encode(photo(COLOURS[0]))
LIMIT = 100_000
ALL = len(COLOURS)


@pytest.fixture(scope="module")
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture(scope="module")
def server(make_settings: Callable[..., Settings], engine: FakeEngine) -> Iterator[LiveServer]:
    with running(make_settings(max_answer_bytes=LIMIT), FakeEngines(engine)) as live:
        yield live


def post(client: httpx.Client, query: str, images: int = 1) -> httpx.Response:
    parts = [("image", (f"{number}.png", PICTURE)) for number in range(images)]
    return client.post("/classify", params=query, files=parts)


@pytest.mark.parametrize(
    ("query", "images"),
    [
        (f"top_k={ALL}&include=cam", 2),
        ("top_k=5&include=cam", 15),
        (f"top_k={10**30}&include=cam", 2),
        (f"top_k={ALL}", 19),
        (f"top_k={ALL}&min_score=1e-320&include=cam", 2),
    ],
)
def test_too_much_is_refused_before_anything_is_computed(
    client: httpx.Client, engine: FakeEngine, query: str, images: int
) -> None:
    batches = len(engine.batches)
    problem = assert_problem(post(client, query, images), 422, "answer_too_large")
    assert "smaller top_k" in problem["detail"]
    assert len(engine.batches) == batches


@pytest.mark.parametrize(
    ("query", "images"),
    [
        (f"top_k={ALL}&include=cam", 1),
        ("top_k=5&include=cam,embedding", 13),
        (f"top_k={ALL}", 16),
        ("", 64),
        (f"top_k={ALL}&include=cam&min_score=0.9", 64),
    ],
)
def test_what_fits_is_answered_and_weighs_no_more(
    client: httpx.Client, query: str, images: int
) -> None:
    response = post(client, query, images)
    assert response.status_code == 200
    assert len(response.content) <= LIMIT


def test_one_image_that_is_too_much_is_refused_before_it_is_uploaded(
    make_settings: Callable[..., Settings],
) -> None:
    with (
        running(make_settings(max_answer_bytes=50_000), FakeEngines()) as live,
        RawConnection(live.port) as connection,
    ):
        head = ("content-type: image/png", "content-length: 1000000")
        connection.send_head(*head, path=f"/classify?top_k={ALL}&include=cam")
        assert_raw_problem(connection.read_answer(), 422, "answer_too_large")


def options(top_k: int, *include: str, min_score: float = 0.0) -> ClassifyOptions:
    return ClassifyOptions(
        top_k=top_k,
        min_score=min_score,
        include=frozenset(name for name in ("embedding", "cam") if name in include),
    )


def served(classes: int) -> ServedModel:
    """A model with maps of 7 x 7 and an embedding of 2048 numbers."""
    labels = [{"index": n, "id": f"n{n:08}", "name": "chain saw"} for n in range(classes)]
    content = colour_manifest() | {"labels": labels}
    in_schema_1(content)
    manifest = Manifest.model_validate(content)
    signature = manifest.signature.completed(
        {"logits": (1, classes), "embedding": (1, 2048), "cam": (1, classes, 7, 7)}
    )
    return ServedModel(manifest, manifest.variants[0], "cpu", Layout(1, 1), 8, "rule", signature)


def test_by_default_all_maps_of_a_thousand_classes_are_given_and_of_twenty_thousand_are_not() -> (
    None
):
    limit = Settings().max_answer_bytes
    check_weight(served(1000), options(1000, "cam", "embedding"), 1, limit)
    check_weight(served(1000), options(1000), 64, limit)
    check_weight(served(20_000), options(20_000), 1, limit)
    check_weight(served(20_000), options(20_000, "cam", min_score=0.01), 64, limit)
    with pytest.raises(AnswerTooLarge, match=r"about 20\.\d MiB, at most 8\.0 MiB"):
        check_weight(served(20_000), options(20_000, "cam"), 1, limit)


def test_an_output_that_the_model_lacks_is_refused() -> None:
    whole = served(10)
    without = tuple(output for output in whole.signature.outputs if output.name != "cam")
    model = replace(whole, signature=Signature(inputs=whole.signature.inputs, outputs=without))
    limit = Settings().max_answer_bytes
    check_weight(model, options(10, "embedding"), 1, limit)
    with pytest.raises(OutputNotAvailable, match="colours:1 has no cam"):
        check_weight(model, options(10, "embedding", "cam"), 1, limit)


def test_the_estimate_is_near(client: httpx.Client, server: LiveServer) -> None:
    model = server.service.table.find(None, None).model
    for query, asked in (
        (f"top_k={ALL}&include=cam", options(ALL, "cam")),
        (f"top_k={ALL}", options(ALL)),
    ):
        content = post_image(client, PICTURE, params=query).content
        assert answer_bytes(model, asked, 1) == pytest.approx(len(content), rel=0.15)
