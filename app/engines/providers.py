"""Execution providers: which to ask ONNX Runtime for, with which options."""

from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Literal

from app.contract.errors import ConfigurationError
from app.engines.engine import Provider
from app.engines.tensorrt_cache import SERVING_OPTIONS

_NAMES: Mapping[Provider, str] = MappingProxyType(
    {
        "cpu": "CPUExecutionProvider",
        "cuda": "CUDAExecutionProvider",
        "tensorrt": "TensorrtExecutionProvider",
    }
)
_REMEDIES: Mapping[Provider, str] = MappingProxyType(
    {
        "cpu": "reinstall onnxruntime",
        "cuda": "install the gpu extra on a machine with an NVIDIA driver for CUDA 13,"
        " or set --provider cpu (SENET_PROVIDER)",
        "tensorrt": "install the gpu extra and TensorRT 10 on a machine with an NVIDIA driver for"
        " CUDA 13, or set --provider cuda or cpu (SENET_PROVIDER)",
    }
)
_OPTIONS: Mapping[Provider, Mapping[str, str]] = MappingProxyType(
    {
        "cpu": {},
        "cuda": {
            "device_id": "0",
            # Grow by what is asked for, not by powers of two: the model's peak is soon known.
            "arena_extend_strategy": "kSameAsRequested",
            # cuDNN's own choice was the faster one, and ready in half the time (docs/gpu.md).
            "cudnn_conv_algo_search": "HEURISTIC",
            "cudnn_conv_use_max_workspace": "1",
            # TF32 rounds fp32 factors to 10 bits: fp32 would no longer be what was verified.
            "use_tf32": "0",
        },
        "tensorrt": SERVING_OPTIONS,
    }
)
# What may run the nodes that the provider itself does not take.
_CHAINS: Mapping[Provider, tuple[Provider, ...]] = MappingProxyType(
    {"cpu": ("cpu",), "cuda": ("cuda", "cpu"), "tensorrt": ("tensorrt", "cuda", "cpu")}
)


def candidates(provider: Literal["auto"] | Provider, available: Collection[str]) -> list[Provider]:
    """The providers to try, best first.

    Args:
        provider: the setting. "auto" allows CUDA, then the CPU; TensorRT must be named, for it
            needs an engine that was built for the very GPU.
        available: `onnxruntime.get_available_providers()`, which is what is compiled in.

    Raises:
        ConfigurationError: if the one provider asked for is not compiled in.
    """
    if provider == "auto":
        order: tuple[Provider, ...] = ("cuda", "cpu")
        return [name for name in order if _NAMES[name] in available]
    if _NAMES[provider] not in available:
        raise ConfigurationError(
            "provider",
            f"{_NAMES[provider]} is not in this build of ONNX Runtime",
            _REMEDIES[provider],
        )
    return [provider]


def session_providers(
    provider: Provider, *, cuda_graphs: bool = False
) -> list[tuple[str, dict[str, str]]]:
    """What ONNX Runtime's `InferenceSession` takes as `providers`.

    Args:
        provider: that of ONNX Runtime's.
        cuda_graphs: whether CUDA shall capture graphs.
    """
    asked = [(_NAMES[name], dict(_OPTIONS[name])) for name in _CHAINS[provider]]
    if cuda_graphs:
        asked[0][1]["enable_cuda_graph"] = "1"
    return asked


def check_loaded(provider: Provider, loaded: Sequence[str]) -> None:
    """Refuses a session that fell back to another provider.

    ONNX Runtime falls back to the CPU with no more than a log line when CUDA does not load.

    Args:
        provider: the provider asked for.
        loaded: `session.get_providers()`.

    Raises:
        ConfigurationError: if the first of `loaded` is not the provider asked for.
    """
    if not loaded or loaded[0] != _NAMES[provider]:
        found = loaded[0] if loaded else "none"
        raise ConfigurationError(
            "provider",
            f"{_NAMES[provider]} did not load, ONNX Runtime took {found}",
            _REMEDIES[provider],
        )
