"""On a card the engine computes what the processor computes. Needs one; deselected without."""

import itertools
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from app.contract.manifest import Precision
from app.contract.repository import ModelRepository
from app.engines.engine import Engine, Layout, Provider
from app.engines.onnx_engine import OnnxEngines

pytestmark = pytest.mark.needs_cuda

VERSION = ModelRepository(Path("models")).find("imagenette")
SIGNATURE = VERSION.manifest.signature
NAMES = [output.name for output in SIGNATURE.outputs]
IMAGES = list(np.random.default_rng(0).integers(0, 256, (12, 160, 160, 3), dtype=np.uint8))


def load(provider: Provider, precision: Precision, *, cuda_graphs: bool = True) -> Engine:
    (variant,) = (each for each in VERSION.manifest.variants if each.precision == precision)
    engines = OnnxEngines(provider, max_batch_size=8, cuda_graphs=cuda_graphs)
    return engines.load(VERSION.folder / variant.file, provider, Layout(1, 2), SIGNATURE)


@pytest.mark.parametrize(("precision", "tolerance"), [("fp32", 1e-4), ("fp16", 2e-2)])
@pytest.mark.parametrize("cuda_graphs", [True, False])
def test_every_batch_and_every_choice_of_outputs(
    precision: Precision, tolerance: float, cuda_graphs: bool
) -> None:
    expected = load("cpu", "fp32").open_slots()[0].run(IMAGES, NAMES)
    engine = load("cuda", precision, cuda_graphs=cuda_graphs)
    assert engine.provider == "cuda"
    slot = engine.open_slots()[0]
    for size in range(1, len(IMAGES) + 1):
        found = slot.run(IMAGES[-size:], NAMES)
        for name in NAMES:
            scale = np.abs(expected[name]).max()
            difference = np.abs(found[name] - expected[name][-size:]).max()
            assert difference <= tolerance * scale, (size, name)
    for subset in itertools.combinations(NAMES[:3], 2):
        assert set(slot.run(IMAGES[:3], subset)) == set(subset)


def test_two_slots_at_once_do_not_disturb_each_other() -> None:
    first, second = load("cuda", "fp16").open_slots()
    parts = [IMAGES[start : start + size] for start in range(6) for size in (1, 3, 5)]
    alone = [first.run(part, ["logits"])["logits"] for part in parts]
    with ThreadPoolExecutor(2) as threads:
        for beside in threads.map(
            lambda slot: [slot.run(part, ["logits"])["logits"] for part in parts * 5],
            (first, second),
        ):
            for found, wanted in zip(beside, alone * 5, strict=True):
                np.testing.assert_allclose(found, wanted, atol=1e-3)
