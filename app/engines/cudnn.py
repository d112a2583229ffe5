"""cuDNN, which ONNX Runtime looks for only when the first convolution runs."""

import ctypes
from collections.abc import Callable

from app.contract.errors import ConfigurationError

_LIBRARY = "libcudnn.so.9"


def require_cudnn(load: Callable[[str], object] = ctypes.CDLL) -> None:
    """Loads cuDNN; to be called after ONNX Runtime has loaded what the gpu extra brings.

    Without this, ONNX Runtime's CUDA provider loads, and then no model runs.

    Args:
        load: loads a library by its name.

    Raises:
        ConfigurationError: if it does not load, naming the library.
    """
    try:
        load(_LIBRARY)
    except OSError as error:
        raise ConfigurationError(
            "provider",
            f"cuDNN 9 does not load: {error}",
            "install the gpu extra, or cuDNN 9 for CUDA 13, or set --provider cpu (SENET_PROVIDER)",
        ) from error
