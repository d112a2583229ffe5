"""Page-locked host memory, which a GPU reads by itself at the full speed of the bus."""

import ctypes
import logging
import weakref
from typing import Any

import numpy as np
from numpy.typing import NDArray

logger = logging.getLogger(__name__)

_RUNTIME = "libcudart.so.13"
_SUCCESS = 0
# cudaHostRegisterDefault of the CUDA runtime.
_DEFAULT = 0


class PinnedMemory:
    """Locks arrays with the CUDA runtime. Without it copies are slower, and as right.

    Args:
        runtime: the loaded libcudart, or None.
    """

    def __init__(self, runtime: Any) -> None:  # noqa: ANN401 - ctypes has no types for a library
        self._runtime = runtime

    def pin(self, array: NDArray[np.uint8]) -> None:
        """Locks the array's pages for as long as it lives.

        Args:
            array: contiguous.
        """
        if self._runtime is None:
            return
        address = ctypes.c_void_p(array.ctypes.data)
        code = self._runtime.cudaHostRegister(address, ctypes.c_size_t(array.nbytes), _DEFAULT)
        if code == _SUCCESS:
            weakref.finalize(array, self._runtime.cudaHostUnregister, address)
        else:
            logger.warning("copies to the GPU are slow: cudaHostRegister gave error %d", code)


def cuda_pinned_memory() -> PinnedMemory:
    """With the CUDA runtime of the gpu extra; to be called after ONNX Runtime has loaded it."""
    try:
        return PinnedMemory(ctypes.CDLL(_RUNTIME))
    except OSError:
        logger.warning("copies to the GPU are slow: %s is not found", _RUNTIME)
        return PinnedMemory(None)
