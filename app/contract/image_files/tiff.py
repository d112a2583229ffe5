"""TIFF: one directory with the entries that the pixels need, each once, and nothing else.

Pillow and libtiff read the directory each for itself, and differ about repeated entries and odd
types. They are given one that leaves them nothing to differ about.
"""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.contract.errors import ImageTooLarge, InvalidImage, UnsupportedImageFormat
from app.contract.image_files.tiff_strips import with_jpegs_anew

_BYTE, _SHORT, _LONG, _RATIONAL, _UNDEFINED = 1, 3, 4, 5, 7
_SIZES = {_BYTE: 1, _SHORT: 2, _LONG: 4, _RATIONAL: 8, _UNDEFINED: 1}
_FORMATS = {_SHORT: "H", _LONG: "I"}
_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC = 256, 257, 258, 259, 262
_STRIP_OFFSETS, _ROWS_PER_STRIP, _STRIP_BYTES, _PLANAR = 273, 278, 279, 284
_TILE_WIDTH, _TILE_HEIGHT, _TILE_OFFSETS, _TILE_BYTES = 322, 323, 324, 325
_SAMPLES, _SAMPLE_FORMAT, _SUBSAMPLING = 277, 339, 530
_EXTRA_SAMPLES, _COLOUR_MAP, _JPEG_TABLES, _REFERENCE_BLACK_WHITE = 338, 320, 347, 532
_FILL_ORDER, _ORIENTATION, _PREDICTOR, _INK_SET = 266, 274, 317, 332
# Strips or tiles; a picture of 8,000 rows may have one strip a row. Pillow makes a Python object
# of each value.
_MOST_VALUES = 16_384
_SCALAR = ((_SHORT, _LONG), 1)
_VALUES = ((_SHORT, _LONG), _MOST_VALUES)
# More samples than Pillow decodes.
_PER_SAMPLE = ((_SHORT,), 16)
# What an entry may be (types, most values); entries that are not here are dropped.
_ENTRIES: Mapping[int, tuple[Sequence[int], int]] = {
    **dict.fromkeys(
        (_WIDTH, _HEIGHT, _COMPRESSION, _PHOTOMETRIC, _FILL_ORDER, _ORIENTATION, _SAMPLES), _SCALAR
    ),
    **dict.fromkeys(
        (_ROWS_PER_STRIP, _PLANAR, _PREDICTOR, _TILE_WIDTH, _TILE_HEIGHT, _INK_SET), _SCALAR
    ),
    **dict.fromkeys((_STRIP_OFFSETS, _STRIP_BYTES, _TILE_OFFSETS, _TILE_BYTES), _VALUES),
    **dict.fromkeys((_BITS, _EXTRA_SAMPLES, _SAMPLE_FORMAT), _PER_SAMPLE),
    _COLOUR_MAP: ((_SHORT,), 3 * 256),
    _SUBSAMPLING: ((_SHORT,), 2),
    _JPEG_TABLES: ((_UNDEFINED, _BYTE), 1 << 16),
    _REFERENCE_BLACK_WHITE: ((_RATIONAL, _LONG), 6),
}
_UNCOMPRESSED, _JPEG = 1, 7
# None, LZW, JPEG, Deflate (of Adobe and older), PackBits.
_COMPRESSIONS = frozenset({_UNCOMPRESSED, 5, _JPEG, 8, 32946, 32773})
_RGB, _SEPARATED, _YCBCR = 2, 5, 6
_CMYK, _SEPARATE_PLANES, _UNSIGNED = 1, 2, 1


@dataclass(frozen=True, slots=True)
class _Directory:
    """The kept entries.

    Attributes:
        entries: as they stand in the file, 12 bytes each, by tag.
        values: of those that hold numbers, by tag.
    """

    entries: dict[int, bytes]
    values: dict[int, tuple[int, ...]]

    def one(self, tag: int, default: int) -> int:
        return self.values.get(tag, (default,))[0]


def read_tiff(data: bytes, max_pixels: int) -> bytes:
    """Writes a TIFF anew with the one directory of its first image (TIFF 6.0, section 2).

    Args:
        data: the file.
        max_pixels: most pixels of its strips or tiles, which may cover more than the image.

    Raises:
        UnsupportedImageFormat: if its compression or its samples are of a kind that would not be
            decoded, or not as they look.
        ImageTooLarge: if it or its tiles have more pixels than allowed.
        InvalidImage: if the directory is malformed or of absurd length, or a JPEG in it is.
    """
    order = "<" if data.startswith(b"II") else ">"
    directory = _read_directory(data, order)
    _check_samples(directory)
    _check_size(directory, max_pixels)
    pixels: bytes | bytearray = data
    if directory.one(_COMPRESSION, _UNCOMPRESSED) == _JPEG:
        pixels = with_jpegs_anew(data, *_pieces(directory))
    entries = [directory.entries[tag] for tag in sorted(directory.entries)]
    # What the entries point at stays where it was; the directory goes behind it.
    padding = bytes(len(data) % 2)
    head = data[:4] + struct.pack(f"{order}I", len(data) + len(padding))
    count = struct.pack(f"{order}H", len(entries))
    return b"".join([head, memoryview(pixels)[8:], padding, count, *entries, bytes(4)])


def _pieces(directory: _Directory) -> tuple[Sequence[int], Sequence[int]]:
    """Offsets and sizes of the strips or tiles."""
    tiled = _TILE_OFFSETS in directory.values
    tags = (_TILE_OFFSETS, _TILE_BYTES) if tiled else (_STRIP_OFFSETS, _STRIP_BYTES)
    offsets, sizes = (directory.values.get(tag, ()) for tag in tags)
    return offsets, sizes


def _read_directory(data: bytes, order: str) -> _Directory:
    entries: dict[int, bytes] = {}
    values: dict[int, tuple[int, ...]] = {}
    start = struct.unpack_from(f"{order}I", data, 4)[0]
    for index in range(struct.unpack_from(f"{order}H", data, start)[0]):
        at = start + 2 + 12 * index
        tag, kind, count, value = struct.unpack_from(f"{order}HHII", data, at)
        types, most = _ENTRIES.get(tag, ((), 0))
        if not types:
            continue
        if tag in entries:
            raise InvalidImage(f"a TIFF that has the entry {tag} twice")
        if kind not in types or not count:
            if tag == _ORIENTATION:
                continue
            raise InvalidImage(f"a TIFF whose entry {tag} is of the wrong type")
        if count > most:
            error = InvalidImage if count > _MOST_VALUES else UnsupportedImageFormat
            raise error(f"a TIFF of {count} values in the entry {tag}; at most {most} are accepted")
        size = count * _SIZES[kind]
        where = at + 8 if size <= 4 else value
        if where + size > len(data):
            raise InvalidImage("truncated TIFF image: an entry points beyond its end")
        entries[tag] = data[at : at + 12]
        if kind in _FORMATS:
            values[tag] = struct.unpack_from(f"{order}{count}{_FORMATS[kind]}", data, where)
    if not entries.keys() >= {_WIDTH, _HEIGHT} or not entries.keys() & {
        _STRIP_OFFSETS,
        _TILE_OFFSETS,
    }:
        raise InvalidImage("a TIFF without a size or without pixels")
    if values.get(_SAMPLES, (1,)) == (1,):
        # One plane is what there is either way, but Pillow reads it otherwise if it is called so.
        entries.pop(_PLANAR, None)
        values.pop(_PLANAR, None)
    return _Directory(entries, values)


def _check_samples(directory: _Directory) -> None:
    compression = directory.one(_COMPRESSION, _UNCOMPRESSED)
    if compression not in _COMPRESSIONS:
        raise UnsupportedImageFormat(f"a TIFF of compression {compression}")
    if any(kind != _UNSIGNED for kind in directory.values.get(_SAMPLE_FORMAT, ())):
        raise UnsupportedImageFormat("a TIFF of signed, floating-point or complex samples")
    bits = max(directory.values.get(_BITS, (1,)))
    if bits > 16:
        raise UnsupportedImageFormat(f"a TIFF of {bits} bits a sample; at most 16 are accepted")
    photometric = directory.one(_PHOTOMETRIC, 0)
    if photometric == _SEPARATED and directory.one(_INK_SET, _CMYK) != _CMYK:
        raise UnsupportedImageFormat("a TIFF with inks other than CMYK")
    planes = directory.one(_PLANAR, 1) == _SEPARATE_PLANES
    if planes and photometric not in (_RGB, _SEPARATED, _YCBCR):
        raise UnsupportedImageFormat("a TIFF of planes that are not RGB, CMYK or YCbCr")
    if compression != _UNCOMPRESSED:
        return
    # The following are libtiff's to decode, and Pillow does without it for uncompressed pixels.
    if planes and (bits > 8 or photometric == _YCBCR):
        raise UnsupportedImageFormat(f"an uncompressed TIFF of planes of {bits} bits or YCbCr")
    if photometric == _YCBCR and directory.values.get(_SUBSAMPLING, (2, 2)) != (1, 1):
        raise UnsupportedImageFormat("an uncompressed TIFF of subsampled YCbCr")


def _check_size(directory: _Directory, max_pixels: int) -> None:
    width, height = directory.one(_WIDTH, 0), directory.one(_HEIGHT, 0)
    if not width or not height:
        raise InvalidImage(f"a TIFF of {width} x {height} pixels")
    if width * height > max_pixels:
        raise ImageTooLarge(f"{width} x {height} pixels; at most {max_pixels} are accepted in TIFF")
    if _TILE_OFFSETS not in directory.entries:
        return
    if _STRIP_OFFSETS in directory.entries:
        raise InvalidImage("a TIFF with both strips and tiles")
    across, down = directory.one(_TILE_WIDTH, 0), directory.one(_TILE_HEIGHT, 0)
    if not across or not down:
        raise InvalidImage("a TIFF of tiles without a size")
    # The decoder takes memory for a whole tile and decodes all of each, whatever the image's size.
    if across * down > max_pixels:
        raise InvalidImage(f"a TIFF tile of {across * down} pixels")
    covered = (-(-width // across) * across) * (-(-height // down) * down)
    if covered > 2 * max_pixels:
        raise ImageTooLarge(f"tiles of {covered} pixels; at most {2 * max_pixels} are accepted")
