"""Photos reach the network as torchvision's and timm's own transforms prepare them."""

from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray

from app.contract.manifest import Preprocessing
from app.contract.preprocess import preprocess
from senet.sources.options import PreprocessingOptions
from senet.sources.preprocessing import resolve
from senet.sources.timm_transform import preprocessing_of

from .photos import SHAPES, TALL, decoded, drawn, samples

# Imported by name because they have no types and are absent from the other environments.
timm_data = import_module("timm.data")
transforms = import_module("torchvision.transforms")

Pixels = NDArray[np.uint8]
_MODEL = Path("models/imagenette/1")
_SIDE = 160


def pretrained_cfg(**changes: object) -> dict[str, Any]:
    """What timm states of a network, as far as it concerns its photos."""
    stated = {
        "architecture": "any", "input_size": (3, _SIDE, _SIDE), "crop_pct": 0.875,
        "crop_mode": "center", "interpolation": "bilinear", "mean": (0.485, 0.456, 0.406),
        "std": (0.229, 0.224, 0.225),
    }  # fmt: skip
    return stated | changes


def ours(data: bytes, preprocessing: Preprocessing) -> Pixels:
    return preprocess(data, preprocessing, max_pixels=10_000_000)


def by_timm(data: bytes, stated: dict[str, Any]) -> Pixels:
    config = timm_data.resolve_data_config(pretrained_cfg=stated)
    tensor = timm_data.create_transform(**config, normalize=False)(decoded(data))
    return np.asarray(tensor.permute(1, 2, 0))


def by_torchvision(data: bytes, resize: int, crop: tuple[int, int], interpolation: str) -> Pixels:
    transform = transforms.Compose(
        [
            transforms.Resize(resize, transforms.InterpolationMode(interpolation)),
            transforms.CenterCrop(crop),
        ]
    )
    return np.asarray(transform(decoded(data)))


def assert_near(pairs: Iterable[tuple[Pixels, Pixels]], mean: float, most: int) -> None:
    """Every photo within `most` levels, all of them within `mean` on the mean."""
    differences = [np.abs(a.astype(int) - b) for a, b in pairs]
    assert max(int(difference.max()) for difference in differences) <= most
    assert float(np.mean([difference.mean() for difference in differences])) <= mean


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize(
    ("resize", "crop"), [(160, (160, 160)), (182, (160, 160)), (256, (224, 224)), (256, (224, 192))]
)
def test_drawn_photos_are_torchvision_s(
    resize: int, crop: tuple[int, int], interpolation: str
) -> None:
    preprocessing = Preprocessing.model_validate(
        {
            "geometry": "torchvision",
            "resize_shorter_side": resize,
            "crop_height": crop[0],
            "crop_width": crop[1],
            "interpolation": interpolation,
        }
    )
    photos = [drawn(size) for size in SHAPES]
    assert_near(
        (
            (ours(photo, preprocessing), by_torchvision(photo, resize, crop, interpolation))
            for photo in photos
        ),
        mean=0.02,
        most=2,
    )


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic", "lanczos"])
@pytest.mark.parametrize("crop_pct", [0.875, 0.9, 0.95, 1.0])
@pytest.mark.parametrize("crop_mode", ["center", "squash"])
def test_drawn_photos_are_timm_s(crop_mode: str, crop_pct: float, interpolation: str) -> None:
    stated = pretrained_cfg(crop_mode=crop_mode, crop_pct=crop_pct, interpolation=interpolation)
    preprocessing = contract(stated)
    photos = [drawn(size) for size in SHAPES] + [drawn((500, 375), "JPEG")]
    assert_near(
        ((ours(photo, preprocessing), by_timm(photo, stated)) for photo in photos),
        mean=0.0 if crop_mode == "squash" else 0.02,
        most=0 if crop_mode == "squash" else 2,
    )


@pytest.mark.parametrize(("interpolation", "most"), [("bilinear", 2), ("bicubic", 40)])
def test_tall_photos_differ_by_the_order_of_pillow_s_passes(interpolation: str, most: int) -> None:
    stated = pretrained_cfg(interpolation=interpolation)
    preprocessing = contract(stated)
    photos = [drawn(size) for size in TALL]
    assert_near(
        ((ours(photo, preprocessing), by_timm(photo, stated)) for photo in photos), 0.5, most
    )


def contract(stated: dict[str, Any]) -> Preprocessing:
    """As an export takes it."""
    return resolve(preprocessing_of(stated, test_size=False), PreprocessingOptions())


@pytest.mark.needs_data("imagenet-samples")
@pytest.mark.parametrize(
    ("crop_mode", "crop_pct", "interpolation"),
    [
        ("center", 0.875, "bilinear"),
        ("center", 0.875, "bicubic"),
        ("center", 0.95, "bicubic"),
        ("center", 1.0, "bilinear"),
        ("squash", 0.9, "bicubic"),
    ],
)
def test_photos_of_original_sizes_are_timm_s(
    data_sets: Path, crop_mode: str, crop_pct: float, interpolation: str
) -> None:
    stated = pretrained_cfg(
        crop_mode=crop_mode,
        crop_pct=crop_pct,
        interpolation=interpolation,
        input_size=(3, 224, 224),
    )
    preprocessing = contract(stated)
    photos = samples(data_sets)
    assert_near(
        ((ours(photo, preprocessing), by_timm(photo, stated)) for photo in photos),
        mean=0.005,
        most=2,
    )


# A level more or less can lie in another step of int8, so of two classes that are nearer to each
# other than the tolerance either may lead; fp32 has to agree on every photo.
@pytest.mark.needs_data("imagenet-samples")
@pytest.mark.parametrize("precision", ["fp32", "int8"])
@pytest.mark.parametrize(("crop_pct", "interpolation"), [(0.875, "bicubic"), (1.0, "bilinear")])
def test_the_default_model_answers_as_behind_timm_s_transform(
    data_sets: Path, crop_pct: float, interpolation: str, precision: str
) -> None:
    stated = pretrained_cfg(crop_pct=crop_pct, interpolation=interpolation)
    photos = samples(data_sets)
    preprocessing = contract(stated)
    actual = default_model(precision, [ours(photo, preprocessing) for photo in photos])
    transformed = [by_timm(photo, stated) for photo in photos]
    expected = default_model(precision, transformed)
    # A level may lie in another of int8's steps: it counts no more than those steps do themselves.
    tolerance = 0.04
    if precision == "int8":
        tolerance = float(np.abs(expected - default_model("fp32", transformed)).max())
    differ = actual.argmax(1) != expected.argmax(1)
    runner_up, first = np.sort(expected, axis=1)[:, -2:].T
    ties = tolerance if precision == "int8" else 0.0
    assert (first - runner_up)[differ].max(initial=0.0) <= ties
    assert np.abs(actual - expected).max() <= tolerance


def default_model(precision: str, images: list[Pixels]) -> NDArray[np.float32]:
    """Its logits, [n, classes]."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        _MODEL / f"model.{precision}.onnx", options, providers=["CPUExecutionProvider"]
    )
    logits: NDArray[np.float32] = session.run(["logits"], {"images": np.stack(images)})[0]
    return logits
