"""AVIF: its brands, and how large the coded images in it are.

The container tells a size that the coded images in it need not have; the decoder scales them to
it, whatever memory they take. So each is judged by its own header.
"""

from collections.abc import Iterator

from app.contract.errors import ImageTooLarge, InvalidImage, UnsupportedImageFormat
from app.contract.image_files.av1 import coded_frames

_BRANDS = frozenset({b"avif", b"avis"})
# A list of compatible brands has a dozen.
_MOST_BRAND_BYTES = 1024
_MOST_BOXES = 10_000
# Coded images: a grid of 16 megapixels in tiles of 512 x 512 has 64, twice with transparency.
_MOST_ITEMS = 1024
_MOST_EXTENTS = 4096
# Colours, transparency, a gain map and a preview, or two layers of the former.
_MOST_TIMES_DECODED = 4
_FROM_FILE, _FROM_IDAT = 0, 1


def is_avif(data: bytes) -> bool:
    """Whether an AVIF brand is the file's major or a compatible one (ISO 14496-12, 4.3)."""
    if data[4:8] != b"ftyp":
        return False
    end = min(int.from_bytes(data[:4], "big"), _MOST_BRAND_BYTES)
    return data[8:12] in _BRANDS or any(data[at : at + 4] in _BRANDS for at in range(16, end, 4))


def read_avif(data: bytes, max_pixels: int) -> bytes:
    """The file as one of a still image, for the decoder chooses by the major brand.

    Of a sequence that is its primary image. Files that call themselves something more general
    and list AVIF as compatible become AVIF.

    Args:
        data: the file.
        max_pixels: most pixels of a coded image; all of them together may have four times as many.

    Raises:
        UnsupportedImageFormat: if it holds a sequence only.
        ImageTooLarge: if a coded image, or all together, have too many pixels.
        InvalidImage: if it has absurdly many boxes or items.
    """
    boxes = list(_boxes(memoryview(data)))
    metas = [body for kind, body in boxes if kind == b"meta"]
    if not metas and any(kind == b"moov" for kind, _ in boxes):
        raise UnsupportedImageFormat("an AVIF sequence without a still image")
    if not metas:
        raise InvalidImage("truncated or corrupt AVIF image: it describes no items")
    if len(metas) > 1:
        raise InvalidImage("corrupt AVIF image: it describes its items twice")
    total = 0
    for item in _coded_items(data, dict(_boxes(metas[0][4:]))):
        coded = coded_frames(item)
        total += coded.pixels * coded.frames
        if coded.pixels > max_pixels or total > _MOST_TIMES_DECODED * max_pixels:
            raise ImageTooLarge(
                f"coded images of {max(coded.pixels, total)} pixels; at most {max_pixels} are"
                " accepted in AVIF"
            )
    return b"".join([data[:8], b"avif", memoryview(data)[12:]])


def _boxes(data: memoryview) -> Iterator[tuple[bytes, memoryview]]:
    """The boxes: type and content (ISO 14496-12, 4.2)."""
    at = 0
    for _ in range(_MOST_BOXES):
        if at + 8 > len(data):
            return
        size, head = int.from_bytes(data[at : at + 4], "big"), 8
        if size == 1:
            size, head = int.from_bytes(data[at + 8 : at + 16], "big"), 16
        elif size == 0:
            size = len(data) - at
        if size < head:
            raise InvalidImage("corrupt AVIF image: a box is too short")
        yield bytes(data[at + 4 : at + 8]), data[at + head : at + size]
        at += size
    raise InvalidImage("an AVIF of too many boxes")


def _coded_items(data: bytes, meta: dict[bytes, memoryview]) -> Iterator[bytes]:
    """The data of each item that AV1 is to decode."""
    coded = _ids_of_coded_items(meta.get(b"iinf", memoryview(b"")))
    left = 2 * len(data)
    for item, method, extents in _locations(meta.get(b"iloc", memoryview(b""))):
        if item in coded:
            source = {_FROM_FILE: memoryview(data), _FROM_IDAT: meta.get(b"idat")}.get(method)
            if source is None:
                raise InvalidImage("corrupt AVIF image: an item has no location")
            left -= sum(size or len(source) for _, size in extents)
            if left < 0:
                raise InvalidImage("corrupt AVIF image: its items are longer than it")
            yield b"".join(source[at : at + size if size else None] for at, size in extents)


def _ids_of_coded_items(info: memoryview) -> set[int]:
    """Which items are AV1 (ISO 14496-12, 8.11.6)."""
    coded = set()
    counted = 4 + (4 if info and info[0] else 2)
    for kind, entry in _boxes(info[counted:]):
        if kind == b"infe":
            number = 4 if entry[0] >= 3 else 2
            if bytes(entry[6 + number : 10 + number]) == b"av01":
                coded.add(int.from_bytes(entry[4 : 4 + number], "big"))
    return coded


_Location = tuple[int, int, list[tuple[int, int]]]


def _locations(location: memoryview) -> Iterator[_Location]:
    """Of each item its id, where its extents count from, and their offset and length (8.11.3)."""
    at = 6

    def take(size: int) -> int:
        nonlocal at
        if at + size > len(location):
            raise InvalidImage("truncated AVIF image")
        at += size
        return int.from_bytes(location[at - size : at], "big")

    if not location:
        return
    version = location[0]
    offset_size, length_size = location[4] >> 4, location[4] & 15
    base_size, index_size = location[5] >> 4, location[5] & 15 if version else 0
    number = 4 if version >= 2 else 2
    count = take(number)
    if count > _MOST_ITEMS:
        raise InvalidImage(f"an AVIF of {count} items; at most {_MOST_ITEMS} are accepted")
    left = _MOST_EXTENTS
    for _ in range(count):
        item = take(number)
        method = take(2) & 15 if version else _FROM_FILE
        take(2)
        base = take(base_size)
        extents = []
        pieces = take(2)
        left -= pieces
        if left < 0:
            raise InvalidImage(f"an AVIF of more than {_MOST_EXTENTS} pieces")
        for _ in range(pieces):
            take(index_size)
            extents.append((base + take(offset_size), take(length_size)))
        yield item, method, extents
