from pathlib import Path

import numpy as np
import pytest

from app.contract.repository import ModelRepository
from app.settings import Settings
from tests.support.images import encode, photo
from tests.support.server import running
from tools.bench.null_engine import NullEngine, NullEngines
from tools.bench.sections.scaling import core_counts
from tools.bench.subject import Subject, find


@pytest.fixture
def colours(repository: Path) -> Subject:
    return Subject(*find("colours", [repository]), "fp32", "cpu")


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    file = tmp_path / "photo.jpg"
    file.write_bytes(encode(photo((200, 30, 30)), "JPEG"))
    return [file]


@pytest.mark.parametrize("batch", [1, 4])
def test_the_bare_loop_counts_what_all_its_processes_do(
    colours: Subject, photos: list[Path], batch: int
) -> None:
    with colours.bare(photos, 2, batch) as bare:
        # Each process runs at least once, however short the time is.
        assert bare.run(0.0).images == 2 * batch


def test_a_bare_loop_that_cannot_start_says_so(colours: Subject, tmp_path: Path) -> None:
    with (
        colours.bare([tmp_path / "missing.jpg"], 1) as bare,
        pytest.raises(RuntimeError, match="a bare process has ended"),
    ):
        bare.run(0.0)


def test_the_null_engine_passes_the_self_test_and_answers_all(repository: Path) -> None:
    settings = Settings(model_repository=repository, model="colours")
    data = encode(photo((200, 30, 30)), "JPEG")

    with running(settings, NullEngines()) as live, live.client() as client:
        answer = client.post("/classify?include=embedding", files=[("a", data), ("b", data)])

    assert [len(result["predictions"]) > 0 for result in answer.json()["results"]] == [True, True]


def test_the_null_engine_has_an_answer_for_every_batch(repository: Path) -> None:
    version = ModelRepository(repository).find("colours")
    _, golden = version.golden()
    [slot] = NullEngine(golden, version.manifest.signature, slots=1).open_slots()

    answers = slot.run([np.zeros((2, 2, 3), np.uint8)] * 9, ["logits"])["logits"]

    assert np.array_equal(answers[: len(golden)], golden)
    assert len(answers) == 9


@pytest.mark.parametrize(
    ("available", "counts"), [(1, [1]), (2, [1, 2]), (6, [1, 2, 4, 6]), (16, [1, 2, 4, 8, 16])]
)
def test_cores_double_up_to_all(available: int, counts: list[int]) -> None:
    assert core_counts(available) == counts
