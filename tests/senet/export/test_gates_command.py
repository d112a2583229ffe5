"""`python -m senet.gates` on a checkpoint and on a published file."""

from pathlib import Path

import pytest
import torch

from senet import checkpoint, networks
from senet.blocks import BasicBlock
from senet.export.report import Report
from senet.gates.__main__ import main
from senet.resnet import ResNetDesign
from tests.senet.export.conftest import LABELS, PREPROCESSING


def test_a_published_file(
    published: tuple[Path, Report],
    photo_folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file, picture = published[0] / "model.fp32.onnx", tmp_path / "gates.svg"
    assert main([str(file), "--photos", str(photo_folder), "--picture", str(picture)]) == 0
    printed = capsys.readouterr().out
    for block in ("layer1.0", "layer2.0", "layer3.0", "layer4.0"):
        assert f"| {block} | " in printed
    assert "Answers with every gate frozen" in printed
    assert picture.read_text().startswith("<svg ")


def test_a_checkpoint_names_its_constant_blocks(
    photo_folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    design = ResNetDesign(BasicBlock, (1, 1, 1, 1), (8, 8, 16, 16), reduction=4, stem=(8,))
    monkeypatch.setitem(networks.RESNETS, "se_tiny", design)
    torch.manual_seed(0)
    weights = networks.build("se_tiny", len(LABELS)).state_dict()
    weights["layer2.0.se_module.fc2.weight"].zero_()
    file = tmp_path / "checkpoint.pt"
    checkpoint.save(file, checkpoint.Checkpoint("se_tiny", LABELS, PREPROCESSING, weights, "drawn"))

    assert main([str(file), "--photos", str(photo_folder), "--limit", "12"]) == 0
    assert "Constant: layer2.0." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("model.onnx", "lies beside no manifest"),
        ("checkpoint.pt", "checkpoint: "),
    ],
)
def test_other_files_are_refused(
    name: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / name).write_bytes(b"nothing")
    assert main([str(tmp_path / name), "--photos", str(tmp_path)]) == 2
    assert message in capsys.readouterr().err
