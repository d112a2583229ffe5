"""Weight files are read without running their code, and fit a network exactly or not at all."""

import argparse
import os
import pickle
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from app.contract.errors import ConfigurationError
from senet.sources.weights import Weights, read_weights

from .tiny import TinyNet

State = dict[str, Tensor]


def state(seed: int = 0) -> State:
    torch.manual_seed(seed)
    return TinyNet().state_dict()


def saved(tmp_path: Path, content: object, name: str = "weights.pth") -> Path:
    path = tmp_path / name
    torch.save(content, path)
    return path


def assert_loads(weights: Weights, expected: State) -> None:
    network = TinyNet()
    weights.load_into(network, "tiny")
    torch.testing.assert_close(network.state_dict(), expected)


def prefixed(prefix: str, tensors: State) -> State:
    return {prefix + key: value for key, value in tensors.items()}


def beside(s: State) -> dict[str, Any]:
    """What timm's training program writes."""
    return {
        "epoch": 3,
        "args": argparse.Namespace(model="x", lr=0.1, output=Path("out"), seen={1, 2}),
        "metric": np.float64(80.5),
        "history": defaultdict(list, {"loss": [np.float32(1)]}),
        "state_dict": state(1),
        "state_dict_ema": s,
    }


@pytest.mark.parametrize(
    ("wrap", "wrapper"),
    [
        (lambda s: s, None),
        (lambda s: {"state_dict": s, "epoch": 3}, "state_dict"),
        (lambda s: {"model": s, "optimizer": {}}, "model"),
        (lambda s: {"model_state_dict": s, "optimizer_state_dict": {}}, "model_state_dict"),
        (lambda s: {"model_ema": s, "state_dict": state(1)}, "model_ema"),
        (lambda s: {"state_dict_ema": s, "state_dict": state(1)}, "state_dict_ema"),
        (lambda s: {"state_dict_ema": {}, "state_dict": s}, "state_dict"),
        (lambda s: {"model": state(1), "model_ema": prefixed("module.", s)}, "model_ema"),
        (lambda s: {"params": s, "optimizer": {"state": {}, "param_groups": []}}, "params"),
        (lambda s: {"model": {"state_dict": s, "step": 3}}, "model.state_dict"),
        (beside, "state_dict_ema"),
    ],
)
@pytest.mark.parametrize("zipped", [True, False])
def test_wrappers_are_recognised(
    tmp_path: Path, wrap: Callable[[State], Any], wrapper: str | None, zipped: bool
) -> None:
    expected = state()
    path = tmp_path / "weights.pth"
    torch.save(wrap(expected), path, _use_new_zipfile_serialization=zipped)
    weights = read_weights(path)
    assert weights.wrapper == wrapper
    assert_loads(weights, expected)


@pytest.mark.parametrize(
    "prefix",
    [
        "module.",
        "_orig_mod.",
        "module._orig_mod.",
        "_orig_mod.module.",
        "_orig_mod.module._orig_mod.",
        "model.",
        "net.",
        "model._orig_mod.",
        "_orig_mod.model.module.",
        "classifier.backbone.",
        "_fsdp_wrapped_module._checkpoint_wrapped_module.",
    ],
)
def test_prefixes_are_taken_off(tmp_path: Path, prefix: str) -> None:
    expected = state()
    assert_loads(read_weights(saved(tmp_path, prefixed(prefix, expected))), expected)


def test_layers_may_be_wrapped_alone(tmp_path: Path) -> None:
    expected = state()
    wrapped = {
        key.replace("conv.", "conv.module.").replace("bn.", "bn._orig_mod."): value
        for key, value in expected.items()
    }
    assert_loads(read_weights(saved(tmp_path, wrapped)), expected)


def test_a_moving_average_of_pytorch_loads(tmp_path: Path) -> None:
    network = TinyNet()
    average = AveragedModel(network, use_buffers=True)
    assert_loads(read_weights(saved(tmp_path, average.state_dict())), network.state_dict())


def test_a_network_may_have_such_names_of_its_own(tmp_path: Path) -> None:
    def wrapping() -> nn.Module:
        network = nn.Module()
        network.module = nn.ModuleDict({"model": TinyNet(), "net": TinyNet(width=5)})
        return network

    trained, network = wrapping(), wrapping()
    for prefix in ("", "module.", "model.", "_orig_mod.module."):
        path = saved(tmp_path, prefixed(prefix, trained.state_dict()))
        read_weights(path).load_into(network, "own")
        torch.testing.assert_close(network.state_dict(), trained.state_dict())


def test_what_stands_beside_the_network_is_left_out(tmp_path: Path) -> None:
    expected = state()
    lightning = prefixed("model.", expected) | {"criterion.weight": torch.ones(3)}
    weights = read_weights(saved(tmp_path, {"state_dict": lightning, "epoch": 1}))
    assert_loads(weights, expected)
    named = weights.named_as_in(TinyNet())
    assert str(named).startswith("model.* of state_dict of weights.pth (sha256:")


def test_a_network_that_stands_there_twice_is_refused(tmp_path: Path) -> None:
    both = prefixed("student.", state()) | prefixed("teacher.", state(1))
    with pytest.raises(ConfigurationError, match=r"more than once, under student\., teacher\."):
        read_weights(saved(tmp_path, both)).load_into(TinyNet(), "tiny")


def test_a_file_that_holds_itself_is_refused(tmp_path: Path) -> None:
    content: dict[str, Any] = {}
    content["model"] = content
    with pytest.raises(ConfigurationError, match="other things than tensors"):
        read_weights(saved(tmp_path, content))


def test_a_name_of_many_parts_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="1 unexpected"):
        read_weights(saved(tmp_path, state() | {"a." * 300_000: torch.ones(1)})).load_into(
            TinyNet(), "tiny"
        )


@pytest.mark.filterwarnings("ignore:.*quantized tensor creation functions:UserWarning")
def test_quantised_weights_are_refused(tmp_path: Path) -> None:
    quantised = state()
    quantised["fc.weight"] = torch.quantize_per_tensor(quantised["fc.weight"], 0.1, 0, torch.qint8)
    packed = {**state(), "fc._packed_params.dtype": torch.qint8}
    for content in (quantised, packed):
        with pytest.raises(ConfigurationError, match="holds quantised weights") as caught:
            read_weights(saved(tmp_path, content))
        assert "\n" not in str(caught.value)


def test_tensors_without_plain_values_are_refused(tmp_path: Path) -> None:
    for strange in (torch.eye(3).to_sparse(), torch.empty(3, device="meta")):
        with pytest.raises(ConfigurationError, match=r"1 not dense: fc\.bias"):
            read_weights(saved(tmp_path, state() | {"fc.bias": strange}))


def test_whole_numbers_are_no_weights(tmp_path: Path) -> None:
    integers = state() | {"fc.bias": torch.ones(3, dtype=torch.int8)}
    with pytest.raises(ConfigurationError, match=r"of another type: fc.bias torch.int8 not"):
        read_weights(saved(tmp_path, integers)).load_into(TinyNet(), "tiny")


def test_half_precision_loads(tmp_path: Path) -> None:
    network = TinyNet()
    halves = {k: v.half() if v.is_floating_point() else v for k, v in state().items()}
    read_weights(saved(tmp_path, halves)).load_into(network, "tiny")
    assert network.fc.weight.dtype is torch.float32
    torch.testing.assert_close(network.fc.weight.data, halves["fc.weight"].float())


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


@pytest.mark.parametrize(
    "wrap",
    [
        lambda code: code,
        lambda code: {"state_dict": {"conv.weight": code}},
        lambda code: {"state_dict": state(), "args": argparse.Namespace(seed=code)},
    ],
)
def test_code_in_a_pickle_is_named_and_not_run(
    tmp_path: Path, wrap: Callable[[object], object]
) -> None:
    trace = tmp_path / "trace"
    path = saved(tmp_path, wrap(Code(trace)))
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


@pytest.mark.needs_data("third-party-networks")
def test_a_checkpoint_of_an_old_torch_on_a_gpu_is_read(data_sets: Path) -> None:
    """Not a zip archive, its tensors on a GPU, every name with `module.` before it."""
    file = data_sets / "third-party-networks" / "minifasnet_v1se_80x80.pth"
    weights = read_weights(file)
    assert all(name.startswith("module.") for name in weights.state)
    assert {tensor.device.type for tensor in weights.state.values()} == {"cpu"}
    assert sum(tensor.numel() for tensor in weights.state.values()) > 400_000
