"""`python -m tools.gpu.slim_library FILE CAPABILITY`: leaves a CUDA library the code of one card.

ONNX Runtime's library for CUDA holds its kernels six times, compiled for six generations of cards.
What is of no use on the card at hand is overwritten with zeros, which compress to nothing; where
everything lies, and every byte that the card runs, stays as it was.

The containers are NVIDIA's fat binaries: a header of 16 bytes (magic number, version, its own size,
the size of what follows), then the entries, each with a header that tells its kind (1: PTX, 2:
machine code), its own size, the size of its content, and the compute capability.
"""

import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_MAGIC = 0xBA55ED50.to_bytes(4, "little")
_HEADER = struct.Struct("<4xHHQ")
_VERSION = 1
_ENTRY = struct.Struct("<HHIQ")
_CAPABILITY = struct.Struct("<I")
_CAPABILITY_AT = 28
_MACHINE_CODE = 2


@dataclass(frozen=True, slots=True)
class Entry:
    """Code for one generation of cards.

    Attributes:
        start: of its content, in the file.
        size: of its content.
        is_machine_code: else it is PTX, from which a driver compiles.
        capability: such as 90.
    """

    start: int
    size: int
    is_machine_code: bool
    capability: int


def entries(library: bytes) -> Iterator[Entry]:
    """All entries of all fat binaries in a library."""
    at = 0
    while (at := library.find(_MAGIC, at)) >= 0:
        version, header, size = _HEADER.unpack_from(library, at)
        if (version, header) != (_VERSION, _HEADER.size):
            at += len(_MAGIC)  # the number occurs in code too
            continue
        place, at = at + header, at + header + size
        while place < at:
            kind, _, header, size = _ENTRY.unpack_from(library, place)
            (capability,) = _CAPABILITY.unpack_from(library, place + _CAPABILITY_AT)
            yield Entry(place + header, size, kind == _MACHINE_CODE, capability)
            place += header + size


def slimmed(library: bytes, capability: int) -> bytes:
    """The library with the code of one compute capability.

    Raises:
        ValueError: if it holds none for it.
    """
    result, kept = bytearray(library), 0
    for entry in entries(library):
        if entry.is_machine_code and entry.capability == capability:
            kept += 1
        else:
            result[entry.start : entry.start + entry.size] = bytes(entry.size)
    if not kept:
        raise ValueError(f"no machine code for compute capability {capability / 10}")
    return bytes(result)


def main() -> int:
    """Runs the command."""
    file = Path(sys.argv[1])
    file.write_bytes(slimmed(file.read_bytes(), int(sys.argv[2])))
    return 0


if __name__ == "__main__":
    sys.exit(main())
