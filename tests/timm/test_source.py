"""Networks that timm defines are taken with its preprocessing, strictly and without downloads."""

from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from app.contract.errors import ConfigurationError
from app.contract.manifest import Preprocessing
from senet.heads import Heads
from senet.sources import SourceOptions, load_source
from senet.sources.timm_models import imagenet_labels
from senet.sources.weights import read_weights

from .drawn import CLASSES, drawn_images, drawn_network

# Imported by name because they have no types and are absent from the other environments.
timm = import_module("timm")
save_file = import_module("safetensors.torch").save_file


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    path = tmp_path / "labels.txt"
    path.write_text("".join(f"{index} c{index} class {index}\n" for index in range(CLASSES)))
    return path


def saved(tmp_path: Path, network: nn.Module) -> Path:
    path = tmp_path / "checkpoint.pth"
    torch.save({"state_dict": network.state_dict()}, path)
    return path


@pytest.mark.parametrize(
    ("name", "interpolation"),
    [
        ("legacy_seresnet18.in1k", "bicubic"),
        ("legacy_seresnext26_32x4d", "bicubic"),
        ("seresnet18", "bicubic"),
        ("seresnext26d_32x4d.bt_in1k", "bicubic"),
        ("legacy_seresnet34", "bilinear"),
    ],
)
def test_a_name_with_a_file_gives_its_logits(
    name: str, interpolation: str, tmp_path: Path, labels: Path
) -> None:
    reference = drawn_network(name)
    source = load_source(
        SourceOptions(timm=name, checkpoint=saved(tmp_path, reference), labels=labels)
    )
    assert isinstance(source.network, nn.Module)
    with torch.no_grad():
        torch.testing.assert_close(source.network(drawn_images(2)), reference(drawn_images(2)))
    assert source.architecture == name
    assert len(source.labels) == CLASSES
    assert source.source.licence == "apache-2.0"
    assert source.preprocessing == Preprocessing(
        resize_shorter_side=256,
        crop_height=224,
        crop_width=224,
        geometry="torchvision",
        interpolation=interpolation,
        scaled_decoding=False,
    )


def test_the_size_that_a_network_is_tested_at_is_told_and_taken(
    tmp_path: Path, labels: Path
) -> None:
    name = "seresnet50.a1_in1k"
    options = SourceOptions(
        timm=name, checkpoint=saved(tmp_path, drawn_network(name)), labels=labels
    )
    trained, tested = load_source(options), load_source(replace(options, test_size=True))
    assert (trained.preprocessing.crop_height, trained.preprocessing.resize_shorter_side) == (
        224,
        235,
    )
    assert (tested.preprocessing.crop_height, tested.preprocessing.resize_shorter_side) == (
        288,
        288,
    )
    assert "`--test-size`" in trained.notes[0]
    assert "288 x 288" in tested.notes[0]


@pytest.mark.parametrize("name", ["legacy_seresnet18", "seresnet18", "seresnext26d_32x4d"])
def test_heads_find_the_classifiers_input_and_feature_map(name: str) -> None:
    network: Any = drawn_network(name)
    images = drawn_images(2)
    logits, embedding, cam = Heads(network, images.shape[2], images.shape[3])(images)
    with torch.no_grad():
        features = network.forward_features(images)
        weight = network.get_classifier().weight
        torch.testing.assert_close(logits, network(images))
        torch.testing.assert_close(embedding, network.forward_head(features, pre_logits=True))
        torch.testing.assert_close(cam, torch.einsum("kd,ndhw->nkhw", weight, features))


def test_a_checkpoint_of_another_network_is_refused(tmp_path: Path, labels: Path) -> None:
    path = saved(tmp_path, drawn_network("legacy_seresnet18"))
    with pytest.raises(ConfigurationError, match=r"does not fit seresnet18: .*missing") as caught:
        load_source(SourceOptions(timm="seresnet18", checkpoint=path, labels=labels))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("legacy_senet145", "no network 'legacy_senet145'; it has legacy_senet154"),
        ("legacy_senet154.in22k", "no weights 'in22k' of legacy_senet154; it has in1k"),
    ],
)
def test_an_unknown_name_says_what_there_is(name: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=message):
        load_source(SourceOptions(timm=name, checkpoint=tmp_path / "unread.pth"))


def test_published_imagenet_weights_bring_their_labels() -> None:
    labels = imagenet_labels(timm.create_model("seresnet50.a1_in1k"))
    assert labels is not None
    assert len(labels) == 1000
    assert (labels[0].index, labels[0].id, labels[0].name) == (0, "n01440764", "tench, Tinca tinca")
    assert len({label.id for label in labels}) == 1000


def test_weights_that_cannot_be_downloaded_end_in_one_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ConfigurationError, match="--pretrained: timm cannot download") as caught:
        load_source(SourceOptions(timm="seresnet50.a1_in1k", pretrained=True))
    assert "\n" not in str(caught.value)


def test_safetensors_files_are_read(tmp_path: Path) -> None:
    network = drawn_network("legacy_seresnet18")
    path = tmp_path / "model.safetensors"
    save_file(network.state_dict(), path)
    torch.testing.assert_close(dict(read_weights(path).state), dict(network.state_dict()))


@pytest.mark.parametrize("part", [0.0, 0.5])
def test_a_truncated_safetensors_file_is_refused(tmp_path: Path, part: float) -> None:
    path = tmp_path / "model.safetensors"
    save_file({"weight": torch.zeros(8)}, path)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * part)])
    with pytest.raises(ConfigurationError, match="truncated or no safetensors file"):
        read_weights(path)
