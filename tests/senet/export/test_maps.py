"""Class activation maps are exact, and lie where the object is."""

import json
import tarfile
from io import BytesIO
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import nn

from senet import networks
from senet.heads import Heads
from tests.support.exact_sums import run_exactly

MODEL = Path(__file__).parents[3] / "models" / "imagenette" / "1"
MANIFEST = json.loads((MODEL / "manifest.json").read_text())
SIDE = 160
STRIDE = 32
PAIRS = 100
CLASSES = 7
# What the network sees of each of two photos: the middle half of it, next to the other's.
HALF = SIDE // 2


def differences(precision: str) -> NDArray[np.float32]:
    """What each logit has beyond the mean of its map, over the golden images."""
    images = np.load(MODEL / "golden.inputs.npy")
    file = MODEL / f"model.{precision}.onnx"
    logits, cam = run_exactly(file, images, ["logits", "cam"]).values()
    return np.asarray(logits - cam.mean((2, 3)))


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_the_default_model_s_maps_explain_its_logits(precision: str) -> None:
    bias = differences("fp32").mean(axis=0)
    variants = json.loads((MODEL / "report.json").read_text())["variants"]
    [stated] = [entry["map_error"] for entry in variants if entry["precision"] == precision]
    most = stated if precision == "int8" else 1e-3
    assert np.abs(differences(precision) - bias).max() <= most


@pytest.mark.slow
@pytest.mark.parametrize("name", networks.names())
def test_every_architecture_s_maps_explain_its_logits(name: str) -> None:
    torch.manual_seed(0)
    network = networks.build(name, CLASSES).eval()
    size = 96
    with torch.inference_mode():
        logits, _, cam = Heads(network, size, size)(torch.rand(1, 3, size, size))
    [classifier] = [
        module
        for module in network.modules()
        if isinstance(module, nn.Linear) and module.out_features == CLASSES
    ]
    torch.testing.assert_close(cam.mean((2, 3)) + classifier.bias, logits, atol=1e-3, rtol=0)


@pytest.mark.needs_data("imagenette")
def test_of_two_objects_side_by_side_each_map_peaks_on_its_own(data_sets: Path) -> None:
    archive = data_sets / "imagenette" / "imagenette-val-224.tar"
    network = onnxruntime.InferenceSession(MODEL / "model.fp32.onnx")
    generator = np.random.default_rng(0)
    ids = [label["id"] for label in MANIFEST["labels"]]
    with tarfile.open(archive) as file:
        photos = [known(network, file, index, name, generator) for index, name in enumerate(ids)]
    right = 0
    for _ in range(PAIRS):
        first, second = generator.choice(len(ids), 2, replace=False)
        halves = [
            photos[index][generator.integers(len(photos[index]))][:, HALF // 2 : -HALF // 2]
            for index in (first, second)
        ]
        [cam] = network.run(["cam"], {"images": np.concatenate(halves, axis=1)[None]})
        # Convolutions of 3x3 with a stride of 2 look at even pixels: so the columns of a map see
        # what is around the pixels 0, 32, 64, 96 and 128, and the third one sees the left half.
        peaks = [STRIDE * int(cam[0, index].max(axis=0).argmax()) for index in (first, second)]
        right += peaks[0] < HALF < peaks[1]
    assert right >= 0.9 * PAIRS


def known(
    network: onnxruntime.InferenceSession,
    archive: tarfile.TarFile,
    index: int,
    name: str,
    generator: np.random.Generator,
) -> list[NDArray[np.uint8]]:
    """Some photos of a class that the network knows when it sees them alone."""
    found = []
    members = [entry for entry in archive.getmembers() if f"{name}/" in entry.name]
    for position in generator.permutation(len(members))[:24]:
        content = archive.extractfile(members[position])
        if content is None:
            continue
        with Image.open(BytesIO(content.read())) as photo:
            pixels = np.asarray(photo.convert("RGB").resize((SIDE, SIDE)))
        [logits] = network.run(["logits"], {"images": pixels[None]})
        if logits[0].argmax() == index:
            found.append(pixels)
    return found
