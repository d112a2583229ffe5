from pathlib import Path

import onnxruntime
import pytest
import torch
from torch import nn

from app.contract.manifest import Manifest
from scripts import build_tensorrt, export_onnx
from senet.sources import SourceModel
from tests.senet.export.conftest import LABELS, SIDE


@pytest.fixture
def arguments(source: SourceModel, photo_folder: Path, tmp_path: Path) -> list[str]:
    """An export of the small network as a user's own module."""
    assert isinstance(source.network, nn.Module)
    torch.save(source.network.state_dict(), tmp_path / "weights.pt")
    lines = (f"{label.index} {label.id} {label.name}\n" for label in LABELS)
    (tmp_path / "labels.txt").write_text("".join(lines))
    side = str(SIDE)
    return [
        "--module=tests.senet.export.tiny:network",
        f"--checkpoint={tmp_path / 'weights.pt'}",
        f"--labels={tmp_path / 'labels.txt'}",
        f"--resize-shorter-side={side}",
        f"--crop-height={side}",
        f"--crop-width={side}",
        "--mean=0.485,0.456,0.406",
        "--std=0.229,0.224,0.225",
        "--licence=Apache-2.0",
        "--name=tiny",
        f"--repository={tmp_path / 'models'}",
        f"--photos={photo_folder}",
    ]


def test_an_export_publishes_once(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert export_onnx.main(arguments) == 0
    target = tmp_path / "models" / "tiny" / "1"
    assert f"published {target}" in capsys.readouterr().out
    manifest = Manifest.model_validate_json((target / "manifest.json").read_bytes())
    assert manifest.labels == LABELS
    assert manifest.source.licence == "Apache-2.0"
    assert manifest.preprocessing.crop_height == SIDE

    assert export_onnx.main(arguments) == 2
    assert "--force" in _one_line(capsys)


def _one_line(capsys: pytest.CaptureFixture[str]) -> str:
    message = capsys.readouterr().err
    assert message.startswith("error: ")
    assert message.count("\n") == 1
    return message


def test_photos_are_needed(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert export_onnx.main(arguments[:-1]) == 2
    assert "--photos: PyTorch and ONNX Runtime are compared on real photos" in _one_line(capsys)


def test_a_truncated_checkpoint_is_refused(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = tmp_path / "weights.pt"
    weights.write_bytes(weights.read_bytes()[:5000])
    assert export_onnx.main(arguments) == 2
    assert "weights.pt" in _one_line(capsys)
    assert not (tmp_path / "models").exists()


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("--precision=fp32,fp8", "'fp8' is not one of fp32, fp16, int8"),
        ("--mean=0.5,0.5", "is not three numbers R,G,B"),
        ("--int8-layout=u8u8", "invalid choice"),
    ],
)
def test_flags_with_values_that_mean_nothing_are_refused(
    arguments: list[str], flag: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit_:
        export_onnx.main([*arguments, flag])
    assert exit_.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.skipif(
    "TensorrtExecutionProvider" in onnxruntime.get_available_providers(),
    reason="this build of ONNX Runtime has TensorRT",
)
def test_tensorrt_on_a_machine_without_it_is_refused_before_anything_is_done(
    arguments: list[str],
    photo_folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert export_onnx.main([*arguments, "--tensorrt"]) == 2
    assert "no TensorrtExecutionProvider" in _one_line(capsys)
    assert not (tmp_path / "models").exists()
    assert build_tensorrt.main(["--name=tiny", f"--photos={photo_folder}"]) == 2
    assert "no TensorrtExecutionProvider" in _one_line(capsys)
