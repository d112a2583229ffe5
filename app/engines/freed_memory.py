"""Memory that was freed and stays resident."""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager

# Of mallopt(3).
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
# Weights in a heap keep what is freed around them. Of a model's bytes nearly all are in larger
# blocks than this.
_LARGE_WHILE_LOADING_BYTES = 256 * 2**10
# Pillow asks for pixels by 16 MiB at most. Mapped anew for every photo, they cost a fifth of a
# large one's time (docs/performance.md). glibc comes to this by itself, with the first such photo
# that it frees, and then trims at twice as much; with that much unused at the end of each thread's
# heap the service stood a quarter higher under photos of all sizes, and was no faster.
_LARGE_BYTES = _TRIMMED_BYTES = 17 * 2**20


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


@contextmanager
def large_blocks_mapped() -> Iterator[None]:
    """Has large blocks mapped one by one for the length of a `with` block, in all threads.

    What is mapped goes back to the operating system as soon as it is freed. In a heap it would not:
    each thread that loads a model allocates in a heap of its own, of which `malloc_trim` returns
    neither the unused end nor pages that share a block with what still lives; and glibc takes ever
    larger blocks from heaps, up to 32 MiB, for each mapped one that was freed. So a service grew
    with the first dozens of models that it loaded and unloaded.

    Does nothing where the C library has no `mallopt` (musl, macOS).
    """
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)
    if set_option is None:
        yield
        return
    set_option(_TRIM_THRESHOLD, _TRIMMED_BYTES)
    set_option(_MMAP_THRESHOLD, _LARGE_WHILE_LOADING_BYTES)
    try:
        yield
    finally:
        set_option(_MMAP_THRESHOLD, _LARGE_BYTES)
