"""What a TensorRT engine would be bound to on this machine, asked of the libraries themselves."""

import ctypes
from collections.abc import Callable
from typing import NoReturn

import onnxruntime

from app.contract.errors import ConfigurationError
from app.engines.tensorrt_cache import TensorRTTarget

_PROVIDER = "TensorrtExecutionProvider"
# CUdevice_attribute in cuda.h.
_COMPUTE_CAPABILITY_MAJOR, _COMPUTE_CAPABILITY_MINOR = 75, 76
_NAME_BYTES = 256


def detect(device: int = 0) -> TensorRTTarget:
    """The target that engines are built for and looked up by.

    Args:
        device: ordinal of the GPU.

    Raises:
        ConfigurationError: naming what is missing.
    """
    if _PROVIDER not in onnxruntime.get_available_providers():
        _refuse(f"this build of ONNX Runtime has no {_PROVIDER}")
    # The gpu extra's CUDA libraries lie among the Python packages, where the loader does not look.
    onnxruntime.preload_dlls()
    driver = _library("libcuda.so.1", "the NVIDIA driver")
    runtime = _library("libcudart.so.13", "the CUDA 13 runtime")
    tensorrt = _library("libnvinfer.so.10", "TensorRT 10")
    if driver.cuInit(0) != 0:
        _refuse("the NVIDIA driver finds no GPU")
    handle = ctypes.c_int()
    if driver.cuDeviceGet(ctypes.byref(handle), device) != 0:
        _refuse(f"there is no GPU {device}")
    name = ctypes.create_string_buffer(_NAME_BYTES)
    driver.cuDeviceGetName(name, _NAME_BYTES, handle)
    capability = [
        _integer(driver.cuDeviceGetAttribute, attribute, handle)
        for attribute in (_COMPUTE_CAPABILITY_MAJOR, _COMPUTE_CAPABILITY_MINOR)
    ]
    cuda = _integer(runtime.cudaRuntimeGetVersion)
    return TensorRTTarget(
        gpu=name.value.decode(),
        compute_capability=".".join(map(str, capability)),
        tensorrt=tensorrt_version(tensorrt.getInferLibVersion()),
        cuda=f"{cuda // 1000}.{cuda % 1000 // 10}",
        onnxruntime=onnxruntime.__version__,
    )


def tensorrt_version(number: int) -> str:
    """NV_TENSORRT_VERSION of TensorRT 10, such as 101303, as "10.13.3"."""
    return f"{number // 10000}.{number // 100 % 100}.{number % 100}"


def _library(name: str, what: str) -> ctypes.CDLL:
    try:
        return ctypes.CDLL(name)
    except OSError:
        _refuse(f"{what} is not installed ({name} is not found)")


def _integer(function: Callable[..., int], *arguments: object) -> int:
    value = ctypes.c_int()
    function(ctypes.byref(value), *arguments)
    return value.value


def _refuse(cause: str) -> NoReturn:
    raise ConfigurationError(
        "provider",
        cause,
        "TensorRT needs the gpu extra, TensorRT 10 and an NVIDIA driver for CUDA 13",
    )
