"""OpenVINO, for real: on the colour classifier, and on the model that the repository ships."""

import subprocess
import sys
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from app.engines.engine import InferenceEngine, Layout, Output
from app.engines.onnx_engine import OnnxEngines
from app.errors import ConfigurationError
from app.repository.manifest import Precision
from app.repository.models import ModelRepository
from app.serving.loading import load_model
from tests.support.colours import INPUT_SIDE, colour_outputs
from tests.support.repository import colour_model

ROOT = Path(__file__).parents[2]
EVERYTHING: tuple[Output, ...] = ("logits", "embedding", "cam")
# bf16 would round the logits, which reach 300, by up to 1.
TOLERANCE = 1e-3


@pytest.fixture(scope="module")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("engine") / "model.onnx"
    path.write_bytes(colour_model())
    return path


@pytest.fixture(scope="module")
def engine(model_file: Path) -> InferenceEngine:
    return OnnxEngines("openvino").load(model_file, "openvino", Layout(threads=1, slots=2))


def images(batch: int, seed: int = 0) -> NDArray[np.uint8]:
    generator = np.random.default_rng(seed)
    return generator.integers(0, 256, (batch, INPUT_SIDE, INPUT_SIDE, 3), dtype=np.uint8)


def test_the_provider_is_offered_by_its_name() -> None:
    engines = OnnxEngines("openvino")
    assert engines.providers() == ["openvino"]
    assert "openvino 20" in engines.runtime


@pytest.mark.parametrize("batch", [1, 2, 7])
def test_computes_the_model_on_any_batch_in_fp32(engine: InferenceEngine, batch: int) -> None:
    found = engine.infer(images(batch), EVERYTHING)
    expected = colour_outputs(images(batch), EVERYTHING)
    for name in EVERYTHING:
        assert found[name].dtype == np.float32
        np.testing.assert_allclose(found[name], expected[name], atol=TOLERANCE)


@pytest.mark.parametrize("outputs", [["logits"], ["cam", "logits"], {"embedding"}])
def test_gives_what_was_asked_for(engine: InferenceEngine, outputs: Collection[Output]) -> None:
    assert set(engine.infer(images(1), outputs)) == set(outputs)


def test_answers_outlive_the_next_run(engine: InferenceEngine) -> None:
    first = [engine.infer(images(3, seed), ["logits"])["logits"] for seed in range(4)]
    for seed, logits in enumerate(first):
        expected = colour_outputs(images(3, seed), ["logits"])["logits"]
        np.testing.assert_allclose(logits, expected, atol=TOLERANCE)


def test_more_threads_than_slots_may_call(engine: InferenceEngine) -> None:
    assert engine.slots == 2
    assert engine.provider == "openvino"
    batches = [images(1 + index % 5, index) for index in range(40)]
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda batch: engine.infer(batch, ["logits"])["logits"], batches))
    for batch, logits in zip(batches, found, strict=True):
        expected = colour_outputs(batch, ["logits"])["logits"]
        np.testing.assert_allclose(logits, expected, atol=TOLERANCE)


def test_a_batch_that_fails_leaves_the_slots_free(engine: InferenceEngine) -> None:
    for _ in range(2 * engine.slots):
        with pytest.raises(RuntimeError):
            engine.infer(np.zeros((1, INPUT_SIDE + 1, INPUT_SIDE, 3), np.uint8), ["logits"])
    assert engine.infer(images(1), ["logits"])["logits"].shape[0] == 1


def test_what_is_no_model_is_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    for data in (b"", b"no protobuf", colour_model()[:100]):
        path.write_bytes(data)
        with pytest.raises(ConfigurationError) as raised:
            OnnxEngines("openvino").load(path, "openvino", Layout(threads=1, slots=1))
        assert raised.value.option == "model_repository"
        assert "\n" not in str(raised.value)


@pytest.mark.parametrize("precision", ["int8", "fp32"])
def test_the_shipped_model_passes_its_self_test(precision: Precision) -> None:
    loaded = load_model(
        ModelRepository(ROOT / "models"),
        OnnxEngines("openvino"),
        model="imagenette",
        precision=precision,
        max_batch_size=2,
        cores=1,
    )
    assert loaded.model.provider == "openvino"
    assert loaded.model.variant.precision == precision


def test_auto_measures_it_beside_onnx_runtime() -> None:
    engines = OnnxEngines("auto")
    assert engines.providers() == ["cpu", "openvino"]
    loaded = load_model(
        ModelRepository(ROOT / "models"),
        engines,
        model="imagenette",
        precision="int8",
        max_batch_size=1,
        cores=1,
    )
    assert loaded.choice.images_per_second.keys() == {"int8 1x1", "int8 1x1 openvino"}
    assert loaded.model.provider == loaded.engine.provider


def test_openvino_does_not_report_to_its_maker(model_file: Path) -> None:
    program = f"""
import sys
from pathlib import Path
from app.engines.engine import Layout
from app.engines.openvino_engine import load_openvino
load_openvino(Path({str(model_file)!r}), Layout(threads=1, slots=1))
print([name for name in sys.modules if name.startswith("openvino_telemetry.")])
"""
    run = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == "[]"
