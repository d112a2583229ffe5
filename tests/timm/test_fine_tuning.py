"""A network of timm is fine-tuned in two phases, and its checkpoint exported."""

from pathlib import Path

import pytest
import torch
from torch import nn

from app.contract.errors import ConfigurationError
from scripts.train import main
from senet import checkpoint
from senet.sources import SourceOptions, load_source
from tests.senet.training.conftest import COLOURS
from tests.senet.training.conftest import data as data

from .drawn import drawn_network

NAME = "tf_mobilenetv3_small_100"
HALF = "0.5,0.5,0.5"


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "published.pth"
    torch.save(drawn_network(NAME, 7).state_dict(), path)
    return path


def arguments(data: Path, output: Path, *options: str) -> list[str]:
    return [
        f"--data={data}", f"--output={output}", f"--architecture=timm/{NAME}", "--epochs=2",
        "--size=32", "--evaluation-size=32", "--batch-size=6", "--threads=2", *options,
    ]  # fmt: skip


def test_the_head_learns_first_then_the_rest_and_the_checkpoint_is_a_source(
    data: Path, tmp_path: Path, weights: Path
) -> None:
    output = tmp_path / "run"
    tuned = [f"--start-from={weights}", "--head-epochs=1", f"--mean={HALF}", f"--std={HALF}"]
    assert main(arguments(data, output, *tuned)) == 0
    state = checkpoint.load_training(output / "checkpoint.pt")
    assert state is not None
    before = torch.load(weights, weights_only=True)
    assert not torch.equal(state["network"]["conv_head.weight"], before["conv_head.weight"])
    assert state["history"][0]["learning_rate"] == 2e-3

    source = load_source(SourceOptions(checkpoint=output / "checkpoint.pt"))
    assert isinstance(source.network, nn.Module)
    assert source.architecture == f"timm/{NAME}"
    assert source.preprocessing.mean == (0.5, 0.5, 0.5)
    assert [label.id for label in source.labels] == list(COLOURS)
    assert "published.pth" in source.source.weights


def test_the_normalisation_of_the_weights_is_asked_for(
    data: Path, tmp_path: Path, weights: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments(data, tmp_path / "run", f"--start-from={weights}")) == 2
    assert f"give --mean {HALF} --std {HALF}" in capsys.readouterr().err


def test_a_network_that_timm_lacks_is_refused(tmp_path: Path, data: Path) -> None:
    with pytest.raises(ConfigurationError, match="has no network 'no_such_net'"):
        load_source(SourceOptions(timm="no_such_net", checkpoint=tmp_path / "any.pt"))
    assert main([*arguments(data, tmp_path / "run"), "--architecture=timm/no_such_net"]) == 2
