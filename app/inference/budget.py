"""How much memory is left for requests, beside all else that the service needs."""

from dataclasses import dataclass

from app.contract.errors import ConfigurationError
from app.inference.stages import DECODING_BYTES_BESIDE_OTHERS
from app.settings import MEMORY_PER_BODY_BYTE

_MOST_BYTES = 512 * 2**20
# Decoders keep what they do for one image within this (`app.contract.decoding`).
_LARGE_IMAGE_BYTES = 256 * 2**20
# What allocators keep beyond what is asked of them.
_USABLE_SHARE = 0.9


@dataclass(frozen=True, slots=True)
class Budget:
    """What shares the memory.

    Attributes:
        limit_bytes: what the container may take; None if nothing limits it.
        resident_bytes: what the process takes with its model, before it serves.
        threads: threads that decode.
        decoded_bytes: of all the images that may be in flight, once they are decoded.
        max_body_bytes: largest body.
    """

    limit_bytes: int | None
    resident_bytes: int
    threads: int
    decoded_bytes: int
    max_body_bytes: int

    def for_requests(self, configured_bytes: int) -> int:
        """The bytes that requests may hold.

        Args:
            configured_bytes: the setting; 0 for as much as there is, up to 512 MiB.

        Raises:
            ConfigurationError: if it does not fit, or nothing fits that lets the largest body in.
        """
        least = MEMORY_PER_BODY_BYTE * self.max_body_bytes
        if self.limit_bytes is None:
            return configured_bytes or max(least, _MOST_BYTES)
        left = self._left(self.limit_bytes)
        wanted = configured_bytes or least
        if left < wanted:
            raise ConfigurationError(
                "max_buffered_bytes" if configured_bytes else "max_body_bytes",
                f"of the memory limit of {_mib(self.limit_bytes)} {_mib(max(0, left))} are left for"
                f" requests, which need {_mib(wanted)}: the process takes"
                f" {_mib(self.resident_bytes)}, decoding in {self.threads} threads"
                f" {_mib(self._decoding)}, decoded images {_mib(self.decoded_bytes)}",
                "raise the memory limit, or lower max_body_bytes, max_buffered_bytes or"
                " decode_threads",
            )
        return configured_bytes or max(least, min(_MOST_BYTES, left))

    @property
    def _decoding(self) -> int:
        return _LARGE_IMAGE_BYTES + (self.threads - 1) * DECODING_BYTES_BESIDE_OTHERS

    def _left(self, limit_bytes: int) -> int:
        usable = int(limit_bytes * _USABLE_SHARE)
        return usable - self.resident_bytes - self._decoding - self.decoded_bytes


def _mib(size: int) -> str:
    return f"{size / 2**20:.0f} MiB"
