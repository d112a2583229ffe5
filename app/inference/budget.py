"""How much memory is left for requests, beside all else that the service needs."""

from dataclasses import dataclass

from app.contract.decoding import BYTES_PER_PIXEL
from app.contract.errors import ConfigurationError
from app.settings import MEMORY_PER_BODY_BYTE

_MOST_BYTES = 512 * 2**20
# Decoders keep what they do for one image within this (`app.contract.decoding`).
_LARGE_IMAGE_BYTES = 256 * 2**20
# What allocators keep beyond what is asked of them.
_USABLE_SHARE = 0.9
# What an image may take that is decoded beside others, where memory is plenty; and how much all of
# them may take together, however many threads there are.
_BESIDE_OTHERS_BYTES = 32 * 2**20
_LEAST_BESIDE_OTHERS_BYTES = 96 * 2**20
_SHARE_BESIDE_OTHERS = 1 / 8


@dataclass(frozen=True, slots=True)
class Budget:
    """What shares the memory.

    Attributes:
        limit_bytes: what the container may take; None if nothing limits it.
        resident_bytes: what the process takes with its models, before it serves.
        threads: threads that decode.
        decoded_bytes: of all the images that may be in flight, once they are decoded.
        recorded_bytes: of records that wait to be written.
        max_body_bytes: largest body.
        max_image_pixels: largest width * height of an image.
    """

    limit_bytes: int | None
    resident_bytes: int
    threads: int
    decoded_bytes: int
    recorded_bytes: int
    max_body_bytes: int
    max_image_pixels: int

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
            option = "max_buffered_bytes" if configured_bytes else "max_body_bytes"
            fits_without_records = left + self.recorded_bytes >= wanted
            raise ConfigurationError(
                "records_uri" if fits_without_records else option,
                f"of the memory limit of {_mib(self.limit_bytes)} {_mib(max(0, left))} are left for"
                f" requests, which need {_mib(wanted)}: {self._taken}",
                "raise the memory limit, or lower max_body_bytes, max_buffered_bytes,"
                " max_image_pixels or decode_threads"
                + (", or leave records_uri out" if self.recorded_bytes else ""),
            )
        return configured_bytes or max(least, min(_MOST_BYTES, left))

    def for_models(self, configured_bytes: int) -> tuple[int, str] | None:
        """The bytes that one more model may take, and where that comes from, for a message.

        Requests keep what the largest body needs, or what is set for them.

        Args:
            configured_bytes: the setting `max_buffered_bytes`.

        Returns:
            None if nothing limits it.
        """
        if self.limit_bytes is None:
            return None
        requests = configured_bytes or MEMORY_PER_BODY_BYTE * self.max_body_bytes
        return self._left(self.limit_bytes) - requests, (
            f"of the memory limit of {_mib(self.limit_bytes)} {self._taken}, and requests need"
            f" {_mib(requests)}"
        )

    @property
    def beside_others_bytes(self) -> int:
        """What decoding an image may take beside others; one that takes more waits its turn."""
        least = min(self._largest, _BESIDE_OTHERS_BYTES)
        if self.limit_bytes is None or self.threads == 1:
            return least
        all_together = max(_LEAST_BESIDE_OTHERS_BYTES, int(_SHARE_BESIDE_OTHERS * self.limit_bytes))
        return min(least, all_together // (self.threads - 1))

    @property
    def _largest(self) -> int:
        return min(_LARGE_IMAGE_BYTES, BYTES_PER_PIXEL * self.max_image_pixels)

    @property
    def _decoding(self) -> int:
        return self._largest + (self.threads - 1) * self.beside_others_bytes

    def _left(self, limit_bytes: int) -> int:
        usable = int(limit_bytes * _USABLE_SHARE)
        taken = self.resident_bytes + self._decoding + self.decoded_bytes + self.recorded_bytes
        return usable - taken

    @property
    def _taken(self) -> str:
        """What takes memory beside requests, in words."""
        records = f", records {_mib(self.recorded_bytes)}" if self.recorded_bytes else ""
        return (
            f"the process takes {_mib(self.resident_bytes)}, decoding in {self.threads} threads"
            f" {_mib(self._decoding)}, decoded images {_mib(self.decoded_bytes)}{records}"
        )


def _mib(size: int) -> str:
    return f"{size / 2**20:.0f} MiB"
