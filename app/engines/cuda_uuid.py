"""Which GPU it is that CUDA numbers 0, whatever hides and orders the others."""

import ctypes
import uuid

_DRIVER = "libcuda.so.1"
_BYTES = 16


def cuda_uuids(device: int = 0, driver: str = _DRIVER) -> list[str]:
    """The names that NVML may know CUDA's device by; empty without a driver or such a device.

    `CUDA_VISIBLE_DEVICES` and `CUDA_DEVICE_ORDER` are heeded, since the driver itself is asked.

    Args:
        device: its ordinal among those that CUDA shows.
        driver: the library that every NVIDIA driver brings.
    """
    try:
        library = ctypes.CDLL(driver)
    except OSError:
        return []
    handle = ctypes.c_int()
    if library.cuInit(0) != 0 or library.cuDeviceGet(ctypes.byref(handle), device) != 0:
        return []
    found = ctypes.create_string_buffer(_BYTES)
    # Version 2 gives a MIG slice the slice's own.
    if library.cuDeviceGetUuid_v2(found, handle) != 0:
        return []
    name = uuid.UUID(bytes=found.raw)
    return [f"GPU-{name}", f"MIG-{name}"]
