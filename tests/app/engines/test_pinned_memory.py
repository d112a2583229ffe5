"""Which memory is locked, and when it is unlocked: against a stand-in for the CUDA runtime."""

import ctypes
import gc
import logging

import numpy as np
import pytest

from app.engines.pinned_memory import PinnedMemory, cuda_pinned_memory


class Runtime:
    """Notes what would be locked."""

    def __init__(self, code: int = 0) -> None:
        self.code = code
        self.locked: dict[int, int] = {}

    def cudaHostRegister(  # noqa: N802 - CUDA's name
        self, address: ctypes.c_void_p, size: ctypes.c_size_t, flags: int
    ) -> int:
        assert flags == 0
        if self.code == 0:
            self.locked[address.value or 0] = size.value
        return self.code

    def cudaHostUnregister(self, address: ctypes.c_void_p) -> int:  # noqa: N802 - CUDA's name
        del self.locked[address.value or 0]
        return 0


def test_memory_is_locked_for_as_long_as_it_lives() -> None:
    runtime = Runtime()
    array = np.zeros((2, 3), np.uint8)
    PinnedMemory(runtime).pin(array)
    assert runtime.locked == {array.ctypes.data: 6}
    del array
    gc.collect()
    assert runtime.locked == {}


def test_a_refusal_costs_a_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    PinnedMemory(Runtime(code=2)).pin(np.zeros(3, np.uint8))
    assert caplog.messages == ["copies to the GPU are slow: cudaHostRegister gave error 2"]


def test_without_cuda_nothing_is_locked(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def missing(name: str) -> ctypes.CDLL:
        raise OSError(name)

    caplog.set_level(logging.WARNING)
    monkeypatch.setattr(ctypes, "CDLL", missing)
    cuda_pinned_memory().pin(np.zeros(3, np.uint8))
    assert caplog.messages == ["copies to the GPU are slow: libcudart.so.13 is not found"]
