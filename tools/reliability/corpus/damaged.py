"""Images that broke on the way: cut short, bytes flipped, headers that lie."""

import struct
from collections.abc import Iterator

import numpy as np

from tools.reliability.corpus.binary import png_header
from tools.reliability.corpus.case import INVALID, PREDICTION, TOO_LARGE, UNSUPPORTED, Case
from tools.reliability.corpus.pictures import FORMATS, encode, picture

_FLIPPED_BYTES = 4
# The longest signature by which a format is told.
_SIGNATURE = 12


def damaged(flips: int) -> Iterator[Case]:
    """Broken images; `flips` damaged copies of each format."""
    originals = {image_format: encode(picture(), image_format) for image_format in FORMATS}
    for image_format, data in originals.items():
        yield from _truncated(image_format, data)
        yield from _flipped(image_format, data, flips)
        yield from _misnamed(image_format, data, originals)
    yield from _sizes(originals)


def _truncated(image_format: str, data: bytes) -> Iterator[Case]:
    for part in range(16):
        cut = data[: len(data) * part // 16]
        outcomes = {INVALID} if len(cut) >= _SIGNATURE else {INVALID, UNSUPPORTED}
        yield Case(f"truncated/{image_format} {part} sixteenths", cut, frozenset(outcomes))


def _flipped(image_format: str, data: bytes, flips: int) -> Iterator[Case]:
    generator = np.random.default_rng(len(data))
    for number in range(flips):
        # Every other one is hit in its head, where the structure is.
        region = min(200, len(data)) if number % 2 else len(data)
        broken = np.frombuffer(data, np.uint8).copy()
        places = generator.integers(0, region, _FLIPPED_BYTES)
        broken[places] ^= generator.integers(1, 256, _FLIPPED_BYTES, dtype=np.uint8)
        outcomes = (PREDICTION, INVALID, UNSUPPORTED, TOO_LARGE)
        yield Case.of(f"flipped bytes/{image_format} {number}", broken.tobytes(), *outcomes)


def _misnamed(image_format: str, data: bytes, originals: dict[str, bytes]) -> Iterator[Case]:
    """One format's first bytes before the rest of another."""
    for other, body in originals.items():
        if other != image_format:
            mixed = data[:_SIGNATURE] + body[_SIGNATURE:]
            # Noise in a BMP's header may be the number of a kind that is not decoded.
            kinds = (INVALID, TOO_LARGE, *((UNSUPPORTED,) if image_format == "BMP" else ()))
            yield Case.of(f"wrong header/{image_format} on {other}", mixed, *kinds)


def _sizes(originals: dict[str, bytes]) -> Iterator[Case]:
    for side, outcome in ((0, INVALID), (65_000, TOO_LARGE)):
        name = f"size/{side} x {side} "
        for image_format in ("JPEG", "PNG", "GIF", "BMP", "TIFF"):
            data = _resized(image_format, originals[image_format], side)
            yield Case.of(name + image_format, data, outcome)
    # These two containers name the size twice; decoders may see a contradiction first.
    for image_format in ("WEBP", "AVIF"):
        for side in (0, 16_000):
            data = _resized(image_format, originals[image_format], side)
            yield Case.of(f"size/{side} x {side} {image_format}", data, INVALID, TOO_LARGE)
    for width, height in ((0, 90), (120, 0)):
        yield Case.of(f"size/{width} x {height} PNG", png_header(width, height), INVALID)
    yield Case.of("size/2^31 PNG", png_header(2**31 - 1, 2**31 - 1), TOO_LARGE, INVALID)


def _resized(image_format: str, data: bytes, side: int) -> bytes:
    """The file with other dimensions in its header."""
    match image_format:
        case "JPEG":
            at = data.index(b"\xff\xc0") + 5
            size = struct.pack(">HH", side, side)
        case "PNG":
            return png_header(side, side) + data[33:]
        case "GIF":
            # The screen's and the first frame's, which may enlarge the screen.
            frame = data.index(b",", 13 + 3 * 2 ** ((data[10] & 7) + 1)) + 5
            data = data[:frame] + struct.pack("<HH", side, side) + data[frame + 4 :]
            at, size = 6, struct.pack("<HH", side, side)
        case "BMP":
            at, size = 18, struct.pack("<ii", side, side)
        case "TIFF":
            directory = struct.unpack_from("<I", data, 4)[0]
            for entry in range(directory + 2, len(data) - 12, 12):
                if struct.unpack_from("<H", data, entry)[0] in (256, 257):
                    field = struct.pack("<HII", 4, 1, side)
                    data = data[: entry + 2] + field + data[entry + 12 :]
            return data
        case "WEBP":
            # VP8's own width and height, 14 bits each (RFC 6386, section 9.1).
            at = data.index(b"\x9d\x01\x2a") + 3
            size = struct.pack("<HH", side & 0x3FFF, side & 0x3FFF)
        case _:
            at = data.index(b"ispe") + 8
            size = struct.pack(">II", side, side)
    return data[:at] + size + data[at + len(size) :]
