"""CUDA's first device by the names that NVML may know it by: against a stand-in for the driver."""

import ctypes
from typing import Any

import pytest

from app.engines.cuda_uuid import cuda_uuids

UUID = bytes(range(16))
NAME = "00010203-0405-0607-0809-0a0b0c0d0e0f"


class Driver:
    """Has one device; a function that is named in `fails` gives an error.

    The functions have CUDA's names, which are not in Python's style. What `ctypes.byref` gives them
    has no public type.
    """

    def __init__(self, fails: str = "") -> None:
        self.fails = fails

    def cuInit(self, flags: int) -> int:  # noqa: N802
        return self._code("cuInit", flags == 0)

    def cuDeviceGet(self, handle: Any, device: int) -> int:  # noqa: N802, ANN401
        handle._obj.value = 7
        return self._code("cuDeviceGet", device == 0)

    def cuDeviceGetUuid_v2(self, found: Any, handle: ctypes.c_int) -> int:  # noqa: N802, ANN401
        found.raw = UUID
        return self._code("cuDeviceGetUuid_v2", handle.value == 7)

    def _code(self, name: str, is_right: bool) -> int:
        return 0 if is_right and name != self.fails else 100


def test_the_device_has_the_name_of_a_card_or_of_a_slice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda name: Driver())
    assert cuda_uuids() == [f"GPU-{NAME}", f"MIG-{NAME}"]


@pytest.mark.parametrize("fails", ["cuInit", "cuDeviceGet", "cuDeviceGetUuid_v2"])
def test_what_the_driver_refuses_has_no_name(monkeypatch: pytest.MonkeyPatch, fails: str) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda name: Driver(fails))
    assert cuda_uuids() == []


def test_without_a_driver_there_is_no_name() -> None:
    assert cuda_uuids(driver="libmissing.so.1") == []
