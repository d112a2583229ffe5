"""The memory that a model finds."""

from dataclasses import dataclass

# Measured: 82 MiB for the service itself; weights in ONNX Runtime take three times their file's
# size while they are laid out (SE-ResNet-50, fp32: a file of 107 MiB, 388 MiB at the peak).
_SERVICE_BYTES = 80 * 2**20
LOADING_BYTES_PER_BYTE = 3
"""What a model takes at most while it is loaded, for each byte of its file."""


@dataclass(frozen=True, slots=True)
class Room:
    """The memory that a model finds.

    Attributes:
        left_bytes: what it may take.
        told: where that comes from, for a message: "the container's limit is ...".
    """

    left_bytes: int
    told: str


def room_of_start(limit_bytes: int | None) -> Room | None:
    """What the container's limit leaves to the first model; None if there is no limit."""
    if limit_bytes is None:
        return None
    told = f"the container's limit is {limit_bytes / 2**20:.0f} MiB"
    return Room(limit_bytes - _SERVICE_BYTES, told)
