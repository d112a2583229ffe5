"""Weight files are read without running their code, and fit a network exactly or not at all."""

import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from app.contract.errors import ConfigurationError
from senet.sources.weights import read_weights

from .tiny import TinyNet

State = dict[str, Tensor]


def state(seed: int = 0) -> State:
    torch.manual_seed(seed)
    return TinyNet().state_dict()


def saved(tmp_path: Path, content: object, name: str = "weights.pth") -> Path:
    path = tmp_path / name
    torch.save(content, path)
    return path


def prefixed(prefix: str, tensors: State) -> State:
    return {prefix + key: value for key, value in tensors.items()}


@pytest.mark.parametrize(
    ("wrap", "wrapper"),
    [
        (lambda s: s, None),
        (lambda s: {"state_dict": s, "epoch": 3}, "state_dict"),
        (lambda s: {"model": s, "optimizer": {}}, "model"),
        (lambda s: {"model_ema": s, "state_dict": state(1)}, "model_ema"),
        (lambda s: {"state_dict_ema": s, "state_dict": state(1)}, "state_dict_ema"),
        (lambda s: {"model": state(1), "model_ema": prefixed("module.", s)}, "model_ema"),
        (lambda s: prefixed("module.", s), None),
        (lambda s: prefixed("module._orig_mod.", s), None),
    ],
)
def test_wrappers_and_prefixes_are_recognised(
    tmp_path: Path, wrap: Callable[[State], Any], wrapper: str | None
) -> None:
    expected = state()
    weights = read_weights(saved(tmp_path, wrap(expected)))
    network = TinyNet()
    weights.load_into(network, "tiny")
    assert weights.wrapper == wrapper
    torch.testing.assert_close(network.state_dict(), expected)


def test_the_description_names_wrapper_file_and_digest(tmp_path: Path) -> None:
    weights = read_weights(saved(tmp_path, {"model_ema": state()}))
    assert str(weights).startswith("model_ema of weights.pth (sha256:")


def test_old_files_without_batch_counters_load(tmp_path: Path) -> None:
    old = {key: value for key, value in state().items() if "num_batches" not in key}
    network = TinyNet()
    read_weights(saved(tmp_path, old)).load_into(network, "tiny")
    assert torch.equal(network.conv.weight, old["conv.weight"])


def test_every_difference_is_listed(tmp_path: Path) -> None:
    other = state()
    del other["fc.bias"], other["bn.running_mean"]
    other["fc.weight"] = torch.zeros(5, 4)
    other["head.weight"] = torch.zeros(1)
    network = TinyNet()
    before = network.conv.weight.clone()
    with pytest.raises(ConfigurationError) as caught:
        read_weights(saved(tmp_path, other)).load_into(network, "tiny")
    message = str(caught.value)
    assert "does not fit tiny" in message
    assert "2 missing: bn.running_mean, fc.bias" in message
    assert "1 unexpected: head.weight" in message
    assert "1 of another shape: fc.weight [5, 4] not [3, 4]" in message
    assert "\n" not in message
    assert torch.equal(network.conv.weight, before)


def test_a_long_list_says_how_many_more(tmp_path: Path) -> None:
    more = {f"extra{index}": torch.zeros(1) for index in range(20)}
    with pytest.raises(ConfigurationError, match=r"20 unexpected: extra0, .*extra7 and 12 more"):
        read_weights(saved(tmp_path, state() | more)).load_into(TinyNet(), "tiny")


class Code:
    """Runs a command when it is unpickled carelessly."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, (f"touch {self.trace}",)


@pytest.mark.parametrize("wrapped", [True, False])
def test_code_in_a_pickle_is_named_and_not_run(tmp_path: Path, wrapped: bool) -> None:
    trace = tmp_path / "trace"
    code = Code(trace)
    path = saved(tmp_path, {"state_dict": {"conv.weight": code}} if wrapped else code)
    with pytest.raises(ConfigurationError, match=r"holds code \(posix\.system\)") as caught:
        read_weights(path)
    assert "\n" not in str(caught.value)
    assert not trace.exists()


def test_a_plain_pickle_is_not_run(tmp_path: Path) -> None:
    trace, path = tmp_path / "trace", tmp_path / "weights.pkl"
    path.write_bytes(pickle.dumps({"state_dict": Code(trace)}))
    with pytest.raises(ConfigurationError, match="checkpoint"):
        read_weights(path)
    assert not trace.exists()


def test_a_whole_pickled_network_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"holds code \(torch\.nn\.modules"):
        read_weights(saved(tmp_path, nn.Linear(2, 2)))


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("part", [0.0, 0.1, 0.5, 0.99])
def test_a_truncated_file_is_refused(tmp_path: Path, part: float, zipped: bool) -> None:
    path = tmp_path / "weights.pth"
    torch.save(state(), path, _use_new_zipfile_serialization=zipped)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * part)])
    with pytest.raises(ConfigurationError, match="truncated, or was not written by"):
        read_weights(path)


def test_a_text_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    path.write_text("hello, world\n")
    with pytest.raises(ConfigurationError, match="was not written by"):
        read_weights(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="is not a file"):
        read_weights(tmp_path / "absent.pth")


@pytest.mark.parametrize("content", [[1, 2], {}, {"state_dict": {}}, torch.zeros(3)])
def test_a_file_without_state_dict_is_refused(tmp_path: Path, content: object) -> None:
    with pytest.raises(ConfigurationError, match="holds no state dict"):
        read_weights(saved(tmp_path, content))


def test_other_things_than_tensors_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="1 not tensors: epoch"):
        read_weights(saved(tmp_path, {**state(), "epoch": 3}))
