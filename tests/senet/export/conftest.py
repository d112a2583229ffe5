"""A small network that tells three drawn classes apart, most of the time."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from app.contract.manifest import Label, Preprocessing, Source
from senet.export import photos
from senet.export.order import Order
from senet.export.photos import Photos, labelled
from senet.export.pipeline import export
from senet.export.report import Report
from senet.resnet import ResNet
from senet.sources import SourceModel
from tests.senet.export.tiny import network

SIDE = 64
LABELS = tuple(Label(index=i, id=f"c{i}", name=f"colour {i}") for i in range(3))
PREPROCESSING = Preprocessing(resize_shorter_side=SIDE, crop_height=SIDE, crop_width=SIDE)
_COLOURS = ((150, 110, 110), (110, 150, 110), (110, 110, 150))


@pytest.fixture(scope="session")
def photo_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """20 drawn photos in each of three class folders; the classes overlap."""
    root = tmp_path_factory.mktemp("photos")
    generator = np.random.default_rng(0)
    for label, colour in zip(LABELS, _COLOURS, strict=True):
        (root / label.id).mkdir()
        for number in range(20):
            tint = np.array(colour) + generator.normal(0, 25, 3)
            noise = generator.normal(0, 20, (80, 70, 3))
            pixels = (tint + noise).clip(0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(root / label.id / f"{number:02}.png")
    return root


@pytest.fixture(scope="session")
def drawn(photo_folder: Path) -> Photos:
    return labelled("--evaluate", photo_folder, LABELS)


@pytest.fixture(scope="session")
def source(drawn: Photos) -> SourceModel:
    """The classifier compares features with each class's mean: trained without training."""
    torch.manual_seed(0)
    tiny = network().eval()
    assert isinstance(tiny, ResNet)
    (images,) = photos.read(drawn, PREPROCESSING, batch_size=len(drawn))
    pixels = torch.from_numpy(images).permute(0, 3, 1, 2) / 255
    mean, std = (
        torch.tensor(values).view(1, 3, 1, 1) for values in (PREPROCESSING.mean, PREPROCESSING.std)
    )
    targets = torch.from_numpy(drawn.targets)
    with torch.no_grad():
        features = tiny.features((pixels - mean) / std).mean((2, 3))
        centre, spread = features.mean(0), features.std(0) + 1e-6
        means = torch.stack([features[targets == label.index].mean(0) for label in LABELS])
        weight = (means - centre) / spread**2
        tiny.last_linear.weight.copy_(weight)
        tiny.last_linear.bias.copy_(-(weight * (means + centre) / 2).sum(1))
    return SourceModel(
        network=tiny,
        architecture="tiny",
        source=Source(weights="class means of drawn photos", licence="Apache-2.0"),
        preprocessing=PREPROCESSING,
        labels=LABELS,
    )


@pytest.fixture
def order(source: SourceModel, drawn: Photos, tmp_path: Path) -> Order:
    return Order(
        source=source, name="tiny", version=1, repository=tmp_path / "models", photos=drawn
    )


@pytest.fixture(scope="session")
def published(
    source: SourceModel, drawn: Photos, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Report]:
    """A version with every precision, measured and calibrated."""
    order = Order(
        source=source,
        name="tiny",
        version=1,
        repository=tmp_path_factory.mktemp("models"),
        photos=drawn,
        evaluation=drawn,
        evaluation_name="drawn colours",
        calibration=drawn,
        quantisation=drawn,
        precisions=("fp32", "fp16", "int8"),
        max_accuracy_drop=10,
        min_agreement=0.5,
        min_speedup=0,
        # In int8 so few channels stray too far on golden images for a self-test of trained weights.
        allow_untrained=True,
    )
    return order.target, export(order)
