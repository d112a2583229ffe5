"""JPEG inside of TIFF: each strip or tile is a file of its own, and bounded like one.

libtiff alone would let each have a hundred scans, of which each costs a pass over its pixels.
"""

from collections.abc import Sequence

from app.contract.errors import InvalidImage, UnsupportedImageFormat
from app.contract.image_files.jpeg import END, read_jpeg

_START = b"\xff\xd8"
# Each costs a fixed time besides its pixels'. Tiles of 64 x 64 fill the largest TIFF with so many.
_MOST_JPEGS = 4096


def with_jpegs_anew(data: bytes, offsets: Sequence[int], sizes: Sequence[int]) -> bytearray:
    """Writes the strips or tiles of a TIFF anew as `read_jpeg` reads them, each in its place.

    Args:
        data: the file.
        offsets: where each begins; several may be the same one.
        sizes: of each, in bytes.

    Raises:
        UnsupportedImageFormat: if there are absurdly many, or one is of a kind that is not decoded.
        InvalidImage: if one is not there, overlaps another or is not a JPEG, or as `read_jpeg`.
    """
    if len(offsets) != len(sizes):
        raise InvalidImage("a TIFF whose numbers of strips or tiles and of their sizes differ")
    if len(offsets) > _MOST_JPEGS:
        raise UnsupportedImageFormat(f"a TIFF of more than {_MOST_JPEGS} JPEG strips or tiles")
    anew = bytearray(data)
    end = 0
    for offset, size in sorted(set(zip(offsets, sizes, strict=True))):
        if offset < end:
            raise InvalidImage("a TIFF whose strips or tiles overlap")
        end = offset + size
        piece = data[offset:end]
        if len(piece) < size or not piece.startswith(_START):
            raise InvalidImage("a TIFF with a strip or tile that is not a JPEG")
        anew[offset:end] = _filled(read_jpeg(piece).data.removesuffix(END), size)
    return anew


def _filled(jpeg: bytes, size: int) -> bytes:
    """Without its end marker, filled to a size: any number of ones may stand before a marker."""
    missing = size - len(jpeg)
    return jpeg + (b"\xff" * (missing - 1) + END[1:] if missing > 1 else b"\xff" * missing)
