from pathlib import Path

import pytest

from scripts.pairs import main
from senet import networks
from senet.blocks import BasicBlock
from senet.resnet import ResNetDesign
from senet.training.pairs import read
from tests.senet.training.conftest import data as data


@pytest.fixture(autouse=True)
def _tiny_network(monkeypatch: pytest.MonkeyPatch) -> None:
    design = ResNetDesign(BasicBlock, (1, 1, 1, 1), (8, 8, 16, 16), reduction=4, stem=(8,))
    monkeypatch.setitem(networks.RESNETS, "se_tiny", design)


def test_pairs_are_trained_and_told_once(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    figures = tmp_path / "figures.jsonl"
    command = [
        f"--data={data}", f"--output={tmp_path / 'runs'}", f"--figures={figures}",
        "--architecture=se_tiny", "--seeds=2", "--epochs=1", "--size=32",
        "--evaluation-size=32", "--batch-size=6",
    ]  # fmt: skip
    assert main(command) == 0
    told = read(figures)
    assert [(figure.seed, figure.architecture) for figure in told] == [
        (1, "se_tiny"), (1, "tiny"), (2, "se_tiny"), (2, "tiny"),
    ]  # fmt: skip
    se, plain = told[:2]
    assert list(se.spread) == ["layer1.0", "layer2.0", "layer3.0", "layer4.0"]
    assert se.top1_frozen is not None
    assert plain.top1_frozen is None
    assert plain.spread == {}
    assert "points of top-1 over 2 pairs, 95 % interval" in capsys.readouterr().out

    # What has a figure is not trained again, on another machine either.
    elsewhere = [part.replace("runs", "none") for part in command]
    assert main(elsewhere) == 0
    assert not (tmp_path / "none").exists()
    assert read(figures) == told
