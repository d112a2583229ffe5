"""Checkpoints survive the disk, and what is none is refused."""

import pickle
import resource
from pathlib import Path

import pytest
import torch

from app.contract.errors import ConfigurationError
from app.contract.manifest import Label, Preprocessing
from senet.checkpoint import Checkpoint, load, load_training, save

CHECKPOINT = Checkpoint(
    architecture="se_resnet_mini",
    labels=(Label(index=0, id="n1", name="tench"), Label(index=1, id="n2", name="chain saw")),
    preprocessing=Preprocessing(resize_shorter_side=40, crop_height=32, crop_width=32),
    weights={"layer.weight": torch.arange(6.0).reshape(2, 3), "steps": torch.tensor(7)},
    provenance="trained on drawn, 1 of 2 epochs, seed 0",
)


def test_everything_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    save(path, CHECKPOINT, {"history": [{"epoch": 1}], "momentum": torch.ones(2)})

    loaded, training = load(path), load_training(path)

    torch.testing.assert_close(loaded.weights, CHECKPOINT.weights, rtol=0, atol=0)
    assert (loaded.architecture, loaded.labels) == (CHECKPOINT.architecture, CHECKPOINT.labels)
    assert loaded.preprocessing == CHECKPOINT.preprocessing
    assert loaded.provenance == CHECKPOINT.provenance
    assert training is not None
    assert training["history"] == [{"epoch": 1}]
    assert training["momentum"].tolist() == [1, 1]
    assert [file.name for file in tmp_path.iterdir()] == ["checkpoint.pt"]


def test_a_checkpoint_may_be_saved_to_be_served_only(tmp_path: Path) -> None:
    save(tmp_path / "checkpoint.pt", CHECKPOINT)

    assert load_training(tmp_path / "checkpoint.pt") is None


def test_a_full_disk_leaves_the_old_checkpoint_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    save(path, CHECKPOINT)
    before = path.read_bytes()

    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        with pytest.raises(OSError, match=r"checkpoint\.pt cannot be written"):
            save(path, CHECKPOINT, {"momentum": torch.ones(100_000)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["checkpoint.pt"]


class _Code:
    """What a malicious file would hold: unpickling it creates a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (self.path,))


def test_code_in_a_file_is_not_run(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    path.write_bytes(pickle.dumps(_Code(tmp_path / "ran"), protocol=2))

    with pytest.raises(ConfigurationError, match=r"^checkpoint: "):
        load(path)

    assert not (tmp_path / "ran").exists()


def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    save(path, CHECKPOINT)
    path.write_bytes(path.read_bytes()[:-100])

    with pytest.raises(ConfigurationError, match=r"^checkpoint: .*checkpoint\.pt is truncated"):
        load(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"^checkpoint: .*checkpoint\.pt is not a file"):
        load(tmp_path / "checkpoint.pt")


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        ({"layer.weight": torch.ones(1)}, "is not a checkpoint of this project"),
        ([1, 2], "is not a checkpoint of this project"),
        ({"format": "senet-checkpoint-1", "architecture": "x"}, "lacks what a checkpoint"),
        (
            {"format": "senet-checkpoint-1", "architecture": "x", "labels": [{"index": -1}]},
            "lacks what a checkpoint",
        ),
    ],
)
def test_another_file_of_tensors_is_refused(tmp_path: Path, content: object, cause: str) -> None:
    torch.save(content, tmp_path / "other.pt")

    with pytest.raises(ConfigurationError, match=f"^checkpoint: .*other.pt {cause}"):
        load(tmp_path / "other.pt")
