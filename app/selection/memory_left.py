"""The memory that is left for a model, and which of its variants fit into it."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from app.contract.errors import ConfigurationError
from app.contract.manifest import Variant
from app.contract.repository import ModelVersion

logger = logging.getLogger(__name__)

# Measured: 82 MiB for the service itself; weights in ONNX Runtime take three times their file's
# size while they are laid out (SE-ResNet-50, fp32: a file of 107 MiB, 388 MiB at the peak).
_SERVICE_BYTES = 80 * 2**20
LOADING_BYTES_PER_BYTE = 3
"""What a model takes at most while it is loaded, for each byte of its file."""


@dataclass(frozen=True, slots=True)
class MemoryLeft:
    """The memory that is left for a model.

    Attributes:
        bytes: how much it may take.
        reason: where that comes from, for a message: "the container's limit is ...".
    """

    bytes: int
    reason: str

    def fitting(self, found: ModelVersion, variants: Sequence[Variant]) -> list[Variant]:
        """The variants that can be loaded in it.

        Args:
            found: the version.
            variants: some of its variants.

        Raises:
            ConfigurationError: if none can; the kernel would end the process without a word.
        """
        name = found.manifest.name
        needed = [LOADING_BYTES_PER_BYTE * _size(found, variant) for variant in variants]
        if min(needed) > self.bytes:
            raise ConfigurationError(
                "model",
                f"{name} needs {min(needed) / 2**20:.0f} MiB of memory,"
                f" {max(0, self.bytes) / 2**20:.0f} MiB are left for it: {self.reason}",
                "raise the limit, or serve a smaller --precision or --model (SENET_PRECISION,"
                " SENET_MODEL)",
            )
        for variant, size in zip(variants, needed, strict=True):
            if size > self.bytes:
                logger.warning(
                    "%s of %s is passed over: it needs %d MiB of memory, %d MiB are left",
                    variant.precision,
                    name,
                    size >> 20,
                    self.bytes >> 20,
                )
        return [
            variant for variant, size in zip(variants, needed, strict=True) if size <= self.bytes
        ]


def memory_left_at_start(limit_bytes: int | None) -> MemoryLeft | None:
    """What the container's limit leaves to the first model; None if there is no limit."""
    if limit_bytes is None:
        return None
    return MemoryLeft(
        limit_bytes - _SERVICE_BYTES, f"the container's limit is {limit_bytes / 2**20:.0f} MiB"
    )


def _size(found: ModelVersion, variant: Variant) -> int:
    try:
        return (found.folder / variant.file).stat().st_size
    except OSError:
        return 0  # whoever reads it says what is wrong
