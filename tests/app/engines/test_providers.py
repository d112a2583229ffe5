"""Which execution providers are asked for, and what happens when one does not load."""

import pytest

from app.contract.errors import ConfigurationError
from app.engines.engine import Provider
from app.engines.providers import candidates, check_loaded, session_providers

CPU, CUDA, TENSORRT = "CPUExecutionProvider", "CUDAExecutionProvider", "TensorrtExecutionProvider"


def test_auto_tries_cuda_before_the_cpu_and_never_tensorrt() -> None:
    assert candidates("auto", [TENSORRT, CUDA, CPU]) == ["cuda", "cpu"]
    assert candidates("auto", ["AzureExecutionProvider", CPU]) == ["cpu"]


@pytest.mark.parametrize("provider", ["cpu", "cuda", "tensorrt"])
def test_a_named_provider_is_the_only_one(provider: Provider) -> None:
    assert candidates(provider, [TENSORRT, CUDA, CPU]) == [provider]


@pytest.mark.parametrize(("provider", "name"), [("cuda", CUDA), ("tensorrt", TENSORRT)])
def test_a_provider_that_is_not_compiled_in_is_refused(provider: Provider, name: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        candidates(provider, [CPU])
    assert raised.value.option == "provider"
    assert name in raised.value.cause
    assert "gpu extra" in raised.value.remedy
    assert "SENET_PROVIDER" in raised.value.remedy


def test_cpu_options() -> None:
    assert session_providers("cpu") == [(CPU, {})]


def test_cuda_options_and_the_cpu_for_what_is_left() -> None:
    [(first, options), (second, none)] = session_providers("cuda")
    assert (first, second) == (CUDA, CPU)
    assert options["cudnn_conv_algo_search"] == "HEURISTIC"
    assert options["arena_extend_strategy"] == "kSameAsRequested"
    assert none == {}


def test_cuda_graphs_are_captured_where_they_are_wanted() -> None:
    [(_, options), (_, none)] = session_providers("cuda", cuda_graphs=True)
    assert options["enable_cuda_graph"] == "1"
    assert none == {}
    assert "enable_cuda_graph" not in session_providers("cuda")[0][1]


def test_tensorrt_comes_before_cuda_and_the_cpu() -> None:
    names, options = zip(*session_providers("tensorrt"), strict=True)
    assert names == (TENSORRT, CUDA, CPU)
    assert "trt_fp16_enable" not in options[0]


def test_options_are_the_callers_own() -> None:
    session_providers("cuda")[0][1]["device_id"] = "9"
    assert session_providers("cuda")[0][1]["device_id"] == "0"


def test_the_provider_asked_for_must_be_the_one_that_runs() -> None:
    check_loaded("cuda", [CUDA, CPU])
    check_loaded("cpu", [CPU])


@pytest.mark.parametrize(("loaded", "found"), [([CPU], CPU), ([CPU, CUDA], CPU), ([], "took none")])
def test_a_silent_fall_back_is_refused(loaded: list[str], found: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        check_loaded("cuda", loaded)
    assert raised.value.option == "provider"
    assert found in raised.value.cause
    assert "CUDA 13" in raised.value.remedy
