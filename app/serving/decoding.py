"""Opens an image without trusting it: what it costs is bounded before anything is decoded.

Pillow and its codecs bound neither their memory nor their time. A megabyte of progressive JPEG
can keep a core busy for minutes, and a WebP of a hundred kilobytes takes half a gigabyte.
"""

import re
import struct
from io import BytesIO

from PIL import Image

from app.errors import ImageTooLarge, InvalidImage, UnsupportedImageFormat

# Decoders of these hold several copies of the picture. At so many pixels the hungriest kind of
# each (lossless WebP, AVIF of 4:4:4 with alpha, LZW TIFF) stays within 256 MiB.
_MOST_PIXELS = {"WEBP": 16_000_000, "AVIF": 16_000_000, "TIFF": 16_000_000}
# Pillow reads each piece of a file (chunk, marker, block, directory entry) by itself, in Python.
# A PNG of 32 MiB in chunks of the usual 8 KiB needs 12,000 reads.
_MOST_READS = 20_000
# The usual progressive JPEG has ten scans; each costs a pass over the whole picture.
_MOST_SCANS = 24
# Strips or tiles; a picture of 8,000 rows may have one strip a row.
_MOST_TIFF_VALUES = 16_384
_TIFF_CODECS = frozenset(
    {"raw", "packbits", "tiff_lzw", "tiff_deflate", "tiff_adobe_deflate", "jpeg"}
)
_TIFF_SHORT, _TIFF_LONG = 3, 4
_TIFF_TILE_WIDTH, _TIFF_TILE_LENGTH = 322, 323
_JPEG_END, _JPEG_SCAN = 0xD9, 0xDA
# Any marker but the ones that occur inside of a scan: stuffing, fill bytes and restarts.
_JPEG_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")


def sniff(data: bytes) -> str | None:
    """Pillow's name of the accepted format that `data` begins like, or None."""
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "WEBP"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "GIF"
    if data.startswith(b"BM"):
        return "BMP"
    if data.startswith((b"II*\x00", b"MM\x00*")):
        return "TIFF"
    if data[4:12] in (b"ftypavif", b"ftypavis"):
        return "AVIF"
    return None


def open_image(data: bytes, image_format: str, *, max_pixels: int) -> Image.Image:
    """Opens an image and judges it by its header; its pixels are not decoded yet.

    Args:
        data: the encoded image.
        image_format: what `sniff` says; no other decoder is tried.
        max_pixels: largest width * height. Formats whose decoders need more memory have a lower
            limit of their own.

    Raises:
        ImageTooLarge: if it has too many pixels.
        UnsupportedImageFormat: if it is compressed in a way that is not accepted.
        InvalidImage: if it has absurdly many pieces.
        Exception: whatever Pillow raises on a corrupt image.
    """
    if image_format == "TIFF":
        _check_tiff_directory(data)
    file = _BoundedReader(data)
    image = Image.open(file, formats=[image_format])
    limit = min(max_pixels, _MOST_PIXELS.get(image_format, max_pixels))
    if image.width * image.height > limit:
        raise ImageTooLarge(
            f"{image.width} x {image.height} pixels; at most {limit} are accepted in {image_format}"
        )
    if image_format == "TIFF":
        _check_tiff(image, limit)
    if image_format == "BMP" and any(tile[0] == "bmp_rle" for tile in image.tile):
        raise UnsupportedImageFormat("a run-length encoded BMP")
    if image_format == "JPEG" and _jpeg_scans(data, file.tell()) > _MOST_SCANS:
        raise InvalidImage(f"a JPEG of more than {_MOST_SCANS} scans")
    return image


class _BoundedReader(BytesIO):
    """Counts the reads. Pillow's loops over pieces of a file all come by here."""

    _reads = 0

    def read(self, size: int | None = -1, /) -> bytes:
        self._reads += 1
        if self._reads > _MOST_READS:
            raise InvalidImage("the file consists of too many pieces")
        return super().read(size)


def _check_tiff_directory(data: bytes) -> None:
    """Refuses arrays of absurd length, before Pillow makes a Python object of each value."""
    order = "<" if data.startswith(b"II") else ">"
    start = struct.unpack_from(f"{order}I", data, 4)[0]
    entries = struct.unpack_from(f"{order}H", data, start)[0]
    for entry in range(entries):
        _, kind, count = struct.unpack_from(f"{order}HHI", data, start + 2 + 12 * entry)
        if kind in (_TIFF_SHORT, _TIFF_LONG) and count > _MOST_TIFF_VALUES:
            raise InvalidImage(f"a TIFF of more than {_MOST_TIFF_VALUES} strips or tiles")


def _check_tiff(image: Image.Image, max_pixels: int) -> None:
    if image.info.get("compression") not in _TIFF_CODECS:
        raise UnsupportedImageFormat(f"a TIFF compressed by {image.info.get('compression')}")
    tags = image.tag_v2  # type: ignore[attr-defined]  # a TiffImageFile, by its format
    # The decoder takes memory for a whole tile, whatever the size of the image.
    tile = tags.get(_TIFF_TILE_WIDTH, 1) * tags.get(_TIFF_TILE_LENGTH, 1)
    if tile > max_pixels:
        raise InvalidImage(f"a TIFF tile of {tile} pixels")


def _jpeg_scans(data: bytes, at: int) -> int:
    """Counts scans (ITU T.81, B.1.1 and B.2.1).

    Args:
        data: the image.
        at: where the first scan's data begin, after its header.
    """
    scans = 1
    while scans <= _MOST_SCANS and (marker := _JPEG_MARKER.search(data, at)):
        kind = marker[0][1]
        if kind == _JPEG_END:
            break
        scans += kind == _JPEG_SCAN
        at = marker.end() + int.from_bytes(data[marker.end() : marker.end() + 2], "big")
    return scans
