"""AV1: how large the frames of a coded image are, by its own headers."""

from collections.abc import Iterator
from dataclasses import dataclass

from app.contract.errors import InvalidImage, UnsupportedImageFormat

_SEQUENCE_HEADER, _FRAME_HEADERS = 1, frozenset({3, 6})
# A sequence header has a few dozen bytes at most.
_HEADER_BYTES = 512
# An image has a handful, or one for each group of tiles.
_MOST_UNITS = 4096


@dataclass(frozen=True, slots=True)
class CodedFrames:
    """What a decoder will be asked to do.

    Attributes:
        pixels: of the largest frame.
        frames: how many there are, shown or not.
    """

    pixels: int
    frames: int


def coded_frames(data: bytes) -> CodedFrames:
    """Reads the headers of an image's data (AV1 specification, 5.3 and 5.5).

    Raises:
        UnsupportedImageFormat: if frames may be far larger than the header tells.
    """
    pixels = frames = 0
    for kind, payload in _units(data):
        if kind == _SEQUENCE_HEADER:
            width, height = _frame_size(payload)
            pixels = max(pixels, width * height)
        frames += kind in _FRAME_HEADERS
    return CodedFrames(pixels, frames)


def _units(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The open bitstream units: type and the payload's begin."""
    at = 0
    for _ in range(_MOST_UNITS):
        if at >= len(data):
            return
        header = data[at]
        at += 2 if header & 4 else 1
        size = len(data) - at
        if header & 2:
            size = 0
            for index in range(8):
                byte = data[at]
                at += 1
                size |= (byte & 0x7F) << (7 * index)
                if byte < 0x80:
                    break
        yield header >> 3 & 15, data[at : at + min(size, _HEADER_BYTES)]
        at += size
    raise InvalidImage("an AVIF of too many pieces")


class _Bits:
    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data, "big")
        self._left = 8 * len(data)

    def take(self, count: int) -> int:
        self._left -= count
        if self._left < 0:
            raise EOFError
        return self._value >> self._left & ((1 << count) - 1)


def _frame_size(header: bytes) -> tuple[int, int]:
    """Largest width and height of a sequence's frames (5.5.1)."""
    bits = _Bits(header)
    bits.take(4)  # profile, still picture
    reduced = bits.take(1)
    if reduced:
        bits.take(5)  # level
    else:
        _skip_operating_points(bits)
    width_bits, height_bits = bits.take(4) + 1, bits.take(4) + 1
    width, height = bits.take(width_bits) + 1, bits.take(height_bits) + 1
    # A frame may override the size with what fits into as many bits. Encoders take no more than
    # they need, so that this at most doubles a side.
    wide = (width - 1) >> (width_bits - 1) == 0 and width_bits > 1
    high = (height - 1) >> (height_bits - 1) == 0 and height_bits > 1
    if not reduced and (wide or high):
        raise UnsupportedImageFormat("an AVIF whose frames may be larger than it says")
    return width, height


def _skip_operating_points(bits: _Bits) -> None:
    delay_bits = 0
    if bits.take(1):  # timing information (5.5.3)
        bits.take(64)
        if bits.take(1):
            zeros = 0
            while not bits.take(1):
                zeros += 1
            bits.take(zeros if zeros < 32 else 0)
        if bits.take(1):  # decoder model (5.5.4)
            delay_bits = bits.take(5) + 1
            bits.take(42)
    display_delay = bits.take(1)
    for _ in range(bits.take(5) + 1):
        bits.take(12)
        if bits.take(5) > 7:
            bits.take(1)
        if delay_bits and bits.take(1):
            bits.take(2 * delay_bits + 1)
        if display_delay and bits.take(1):
            bits.take(4)
