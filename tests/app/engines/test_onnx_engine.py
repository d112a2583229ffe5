"""ONNX Runtime, for real, on a tiny model."""

from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from app.contract.errors import ConfigurationError
from app.engines.engine import InferenceEngine, Layout, Output
from app.engines.onnx_engine import OnnxEngines
from tests.support.colours import COLOURS, INPUT_SIDE, colour_outputs
from tests.support.repository import colour_model

EVERYTHING: tuple[Output, ...] = ("logits", "embedding", "cam")


@pytest.fixture(scope="module")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("engine") / "model.onnx"
    path.write_bytes(colour_model())
    return path


@pytest.fixture(scope="module")
def engine(model_file: Path) -> InferenceEngine:
    return OnnxEngines("cpu").load(model_file, "cpu", Layout(threads=1, slots=1))


def images(batch: int) -> NDArray[np.uint8]:
    generator = np.random.default_rng(batch)
    return generator.integers(0, 256, (batch, INPUT_SIDE, INPUT_SIDE, 3), dtype=np.uint8)


@pytest.mark.parametrize("batch", [1, 2, 7])
def test_computes_the_model_on_any_batch(engine: InferenceEngine, batch: int) -> None:
    found = engine.infer(images(batch), EVERYTHING)
    expected = colour_outputs(images(batch), EVERYTHING)
    assert found["logits"].shape == (batch, len(COLOURS))
    for name in EVERYTHING:
        assert found[name].dtype == np.float32
        np.testing.assert_allclose(found[name], expected[name], atol=1e-3)


@pytest.mark.parametrize("outputs", [["logits"], ["cam", "logits"], {"embedding"}])
def test_gives_what_was_asked_for(engine: InferenceEngine, outputs: Collection[Output]) -> None:
    assert set(engine.infer(images(1), outputs)) == set(outputs)


def test_a_file_is_read_as_onnx_whatever_its_name(tmp_path: Path) -> None:
    # ONNX Runtime would take this name for its own format, which is not what was checked.
    path = tmp_path / "model.ort"
    path.write_bytes(colour_model())
    named = OnnxEngines("cpu").load(path, "cpu", Layout(threads=1, slots=1))
    assert set(named.infer(images(1), ["logits"])) == {"logits"}


def test_one_session_serves_several_threads(engine: InferenceEngine) -> None:
    batches = [images(1 + index % 5) for index in range(40)]
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda batch: engine.infer(batch, ["logits"])["logits"], batches))
    for batch, logits in zip(batches, found, strict=True):
        np.testing.assert_allclose(logits, colour_outputs(batch, ["logits"])["logits"], atol=1e-3)


@pytest.mark.parametrize(
    ("threads", "slots", "expected"),
    # A second run fills the gaps of one that has all cores.
    [(1, 3, 3), (2, 2, 2), (2, 1, 2), (1, 1, 1)],
)
def test_slots_follow_the_layout(model_file: Path, threads: int, slots: int, expected: int) -> None:
    engine = OnnxEngines("cpu").load(model_file, "cpu", Layout(threads=threads, slots=slots))
    assert engine.provider == "cpu"
    assert engine.slots == expected


def test_auto_offers_the_cpu(model_file: Path) -> None:
    assert OnnxEngines("auto").providers()[-1] == "cpu"


def test_what_is_no_model_is_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    for data in (b"", b"no protobuf", colour_model()[:100]):
        path.write_bytes(data)
        with pytest.raises(ConfigurationError) as raised:
            OnnxEngines("cpu").load(path, "cpu", Layout(threads=1, slots=1))
        assert raised.value.option == "model_repository"
        assert "\n" not in str(raised.value)
