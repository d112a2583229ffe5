"""Memory that was freed and stays resident."""

import ctypes


def return_freed_memory() -> None:
    """Gives what the C library has freed and kept back to the operating system.

    ONNX Runtime parses a model, lays its weights out anew and frees the former copies; glibc keeps
    their pages for allocations to come. Measured on an SE-ResNet-50 of 107 MiB: 342 MiB resident
    after loading, 170 MiB after this call.

    Does nothing where the C library has no `malloc_trim` (musl, macOS).
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
