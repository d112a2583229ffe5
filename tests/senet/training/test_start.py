"""Weights to begin with: the same classes take all, other classes all but the classifier."""

from pathlib import Path

import pytest
import torch
from torch import nn

from app.contract.errors import ConfigurationError
from app.contract.manifest import Label, Preprocessing
from senet import checkpoint, networks
from senet.training.options import TrainingOptions
from senet.training.start import start


def labelled(*names: str) -> tuple[Label, ...]:
    return tuple(Label(index=index, id=name, name=name) for index, name in enumerate(names))


FLOWERS = labelled("daisy", "rose", "tulip")
COLOURS = labelled("blue", "red")


def options(path: Path | None, architecture: str = "resnet_mini") -> TrainingOptions:
    return TrainingOptions(
        data="photos", architecture=architecture, start_from=None if path is None else str(path)
    )


@pytest.fixture
def trained() -> nn.Module:
    torch.manual_seed(1)
    return networks.build("resnet_mini", len(FLOWERS))


@pytest.fixture
def flowers(tmp_path: Path, trained: nn.Module) -> Path:
    """A checkpoint of three classes."""
    path = tmp_path / "flowers.pt"
    side = Preprocessing(resize_shorter_side=32, crop_height=32, crop_width=32)
    content = checkpoint.Checkpoint(
        "resnet_mini", FLOWERS, side, trained.state_dict(), "trained on flowers"
    )
    checkpoint.save(path, content)
    return path


def test_without_the_option_nothing_changes() -> None:
    network = networks.build("resnet_mini", len(FLOWERS))
    before = {name: value.clone() for name, value in network.state_dict().items()}

    assert start(network, options(None), FLOWERS) == ""

    torch.testing.assert_close(dict(network.state_dict()), before, rtol=0, atol=0)


def test_the_same_classes_take_every_weight(flowers: Path, trained: nn.Module) -> None:
    network = networks.build("resnet_mini", len(FLOWERS))

    assert start(network, options(flowers), FLOWERS) == "trained on flowers"

    torch.testing.assert_close(network.state_dict(), trained.state_dict(), rtol=0, atol=0)


@pytest.mark.parametrize(
    "labels", [COLOURS, labelled("tulip", "rose", "daisy")], ids=["others", "another order"]
)
def test_other_classes_keep_a_fresh_classifier(
    flowers: Path, trained: nn.Module, labels: tuple[Label, ...]
) -> None:
    network = networks.build("resnet_mini", len(labels))
    classifier = network.state_dict()["last_linear.weight"].clone()

    start(network, options(flowers), labels)

    after, given = network.state_dict(), trained.state_dict()
    torch.testing.assert_close(after["last_linear.weight"], classifier, rtol=0, atol=0)
    body = [name for name in given if not name.startswith("last_linear.")]
    assert len(body) == len(given) - 2
    for name in body:
        torch.testing.assert_close(after[name], given[name], rtol=0, atol=0)


def test_another_architecture_is_refused(flowers: Path) -> None:
    network = networks.build("se_resnet_mini", len(FLOWERS))

    with pytest.raises(
        ConfigurationError,
        match=r"^--start-from: .* holds resnet_mini, but --architecture is se_resnet_mini",
    ):
        start(network, options(flowers, "se_resnet_mini"), FLOWERS)


def test_published_weights_give_all_but_the_classifier(tmp_path: Path) -> None:
    torch.manual_seed(2)
    published = networks.build("resnet_mini", 7)
    published(torch.randn(4, 3, 64, 64))  # so that its normalisations have seen something
    file = tmp_path / "published.pth"
    state = {f"module.{name}": value for name, value in published.state_dict().items()}
    torch.save({"state_dict": state, "epoch": 90}, file)
    network = networks.build("resnet_mini", len(COLOURS))
    classifier = network.state_dict()["last_linear.weight"].clone()

    assert "published.pth" in start(network, options(file), COLOURS)

    after = network.state_dict()
    torch.testing.assert_close(after["last_linear.weight"], classifier, rtol=0, atol=0)
    for name, value in published.state_dict().items():
        if not name.startswith("last_linear."):
            torch.testing.assert_close(after[name], value, rtol=0, atol=0)


def test_folded_normalisations_must_stay_as_they_are(tmp_path: Path) -> None:
    file = tmp_path / "folded.pth"
    # Fresh normalisations have the means of folded ones.
    torch.save(networks.build("resnet_mini", 7).state_dict(), file)
    network = networks.build("resnet_mini", len(COLOURS))
    with pytest.raises(ConfigurationError, match=r"^--frozen-statistics: .* folded"):
        start(network, options(file), COLOURS)
    frozen = options(file).model_copy(update={"frozen_statistics": True})
    assert "folded.pth" in start(network, frozen, COLOURS)


def test_files_that_are_no_weights_of_the_network_are_refused(tmp_path: Path) -> None:
    network = networks.build("resnet_mini", len(COLOURS))
    other, damaged = tmp_path / "other.pth", tmp_path / "damaged.pth"
    torch.save(networks.build("se_resnet_mini", 2).state_dict(), other)
    damaged.write_bytes(b"PK not a checkpoint")
    for file in (other, damaged, tmp_path / "missing.pt"):
        with pytest.raises(ConfigurationError, match=r"^--start-from: ") as refused:
            start(network, options(file), COLOURS)
        assert "\n" not in str(refused.value)


def test_weights_of_another_normalisation_are_refused_with_the_flags(flowers: Path) -> None:
    half = options(flowers).model_copy(update={"mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)})
    with pytest.raises(
        ConfigurationError, match=r"--mean 0\.485,0\.456,0\.406 --std 0\.229,0\.224,0\.225"
    ):
        start(networks.build("resnet_mini", 3), half, FLOWERS)


def test_weights_that_do_not_fit_are_refused(tmp_path: Path, flowers: Path) -> None:
    given = checkpoint.load(flowers)
    short = tmp_path / "short.pt"
    weights = dict(list(given.weights.items())[:-3])
    checkpoint.save(
        short,
        checkpoint.Checkpoint(
            given.architecture, given.labels, given.preprocessing, weights, given.provenance
        ),
    )

    with pytest.raises(ConfigurationError, match=r"^--start-from: .* does not fit resnet_mini"):
        start(networks.build("resnet_mini", len(FLOWERS)), options(short), FLOWERS)
