"""`python -m scripts.evaluate` says what training said, and at other sizes what else there is."""

import json
from pathlib import Path

import pytest
from PIL import Image

from scripts.evaluate import main
from scripts.train import main as train
from senet import networks
from senet.blocks import BasicBlock
from senet.resnet import ResNetDesign
from tests.senet.training.conftest import data as data


@pytest.fixture
def trained(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    design = ResNetDesign(BasicBlock, (1, 1, 1, 1), (8, 8, 16, 16), reduction=4, stem=(8,))
    monkeypatch.setitem(networks.RESNETS, "se_tiny", design)
    options = "--architecture=se_tiny --epochs=2 --size=32 --evaluation-size=32 --batch-size=3"
    code = train(
        [f"--data={data}", f"--output={tmp_path / 'run'}", "--threads=1", *options.split()]
    )
    assert code == 0
    return tmp_path / "run" / "checkpoint.pt"


def test_the_figure_is_that_of_the_training(
    data: Path, trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    logged = json.loads((trained.parent / "log.jsonl").read_text().splitlines()[-1])

    assert main([f"--checkpoint={trained}", f"--data={data / 'val'}"]) == 0

    figures = f"top-1 {logged['top1']:.2%}, top-5 {logged['top5']:.2%}"
    accuracy, shapes = capsys.readouterr().out.splitlines()
    assert accuracy == f"32 px: {figures} of 6 photos"
    assert shapes == "6 of 6 photos for accuracy are not square."


def test_each_size_has_a_line(
    data: Path, trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([f"--checkpoint={trained}", f"--data={data / 'val'}", "--size", "32", "48"]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines[:2]] == ["32 px", "48 px"]


def test_square_photos_bring_a_warning(
    data: Path, trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in (data / "val").rglob("*.png"):
        with Image.open(path) as image:
            image.resize((40, 40)).save(path)

    assert main([f"--checkpoint={trained}", f"--data={data / 'val'}"]) == 0

    shapes, warning = capsys.readouterr().out.splitlines()[1:]
    assert shapes == "0 of 6 photos for accuracy are not square."
    assert warning.startswith("Warning: all photos for accuracy are square.")


def test_a_mistake_gets_one_line(
    data: Path, trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([f"--checkpoint={data}", f"--data={data / 'val'}"]) == 2
    assert main([f"--checkpoint={trained}", f"--data={data}"]) == 2

    missing, unknown = capsys.readouterr().err.splitlines()
    assert missing.startswith("error: checkpoint: ")
    assert "holds the unknown class 'train'" in unknown
