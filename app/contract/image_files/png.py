"""PNG: the chunks that make the pixels and tell which way up they are, and nothing else.

Colour profiles, texts and animations are dropped unread, so their size, their compression and
their faults cannot touch the pixels.
"""

import zlib

from app.contract.errors import InvalidImage, UnsupportedImageFormat

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_END = b"\x00\x00\x00\x00IEND\xae\x42\x60\x82"
# A file of 32 MiB in chunks of the usual 8 KiB has 4,000.
_MOST_CHUNKS = 20_000
# Pillow refuses a longer text.
_LONGEST_TEXT = 1 << 20
_GREY, _COLOUR = 0, 2
_ONCE = frozenset({b"IHDR", b"PLTE", b"tRNS", b"eXIf"})
_TEXTS = frozenset({b"tEXt", b"zTXt", b"iTXt"})
# Where programs write an orientation besides eXIf.
_ORIENTING = frozenset({b"Raw profile type exif", b"XML:com.adobe.xmp"})


def read_png(data: bytes) -> bytes:
    """Writes a PNG anew from the chunks that its first image and its orientation need.

    Raises:
        UnsupportedImageFormat: if it has a critical chunk that PNG does not know.
        InvalidImage: if it has absurdly many chunks.
    """
    view = memoryview(data)
    parts: list[bytes | memoryview] = [_SIGNATURE]
    kept: set[bytes] = set()
    at = len(_SIGNATURE)
    for _ in range(_MOST_CHUNKS):
        kind = data[at + 4 : at + 8]
        if len(kind) < 4 or kind == b"IEND":
            break
        end = at + 12 + int.from_bytes(view[at : at + 4], "big")
        chunk = view[at:end]
        if kind == b"IDAT" or (kind in _ONCE and kind not in kept):
            keep = kind[:1].isupper() or _intact(chunk)
        elif kind in _TEXTS:
            keyword = data[at + 8 : at + 8 + 80].partition(b"\x00")[0]
            keep = keyword in _ORIENTING - kept and _intact(chunk) and _short_text(kind, chunk)
            kind = keyword
        elif kind[:1].isupper() and kind.isalpha() and kind not in _ONCE:
            raise UnsupportedImageFormat(f"a PNG with the unknown chunk {kind.decode('ascii')}")
        else:
            keep = False
        if keep:
            kept.add(kind)
            if kind == b"tRNS":
                chunk = _transparent_colour(data, chunk)
            # Where the file ends within a chunk, what is there may be all that the pixels need.
            parts.append(chunk if end <= len(data) else _chunk(kind, chunk[8 : end - at - 4]))
        at = end
    else:
        raise InvalidImage(f"a PNG of more than {_MOST_CHUNKS} chunks")
    return b"".join([*parts, _END])


def _transparent_colour(data: bytes, chunk: memoryview) -> memoryview:
    """The colour that stands for transparency (PNG, 11.3.2.1), as Pillow will compare it.

    Pillow widens grey of 2 and 4 bits to 8 and narrows colours of 16 bits, but not this colour.

    Raises:
        UnsupportedImageFormat: if narrowed pixels would not tell which had the colour.
    """
    depth, kind = data[24], data[25]
    if kind == _COLOUR and depth == 16:
        raise UnsupportedImageFormat("a 16-bit PNG with a transparent colour")
    if kind != _GREY or depth not in (2, 4):
        return chunk
    level = int.from_bytes(chunk[8:10], "big") * 255 // ((1 << depth) - 1)
    return memoryview(_chunk(b"tRNS", level.to_bytes(4, "big")[2:]))


def _intact(chunk: memoryview) -> bool:
    return zlib.crc32(chunk[4:-4]) == int.from_bytes(chunk[-4:], "big")


def _chunk(kind: bytes, body: bytes | memoryview) -> bytes:
    return (
        len(body).to_bytes(4, "big")
        + kind
        + body
        + zlib.crc32(body, zlib.crc32(kind)).to_bytes(4, "big")
    )


def _short_text(kind: bytes, chunk: memoryview) -> bool:
    """Whether Pillow will take a text chunk (PNG, 11.3.3)."""
    body = bytes(chunk[8:-4])
    if len(body) > _LONGEST_TEXT:
        return False
    packed = body.partition(b"\x00")[2][1:] if kind == b"zTXt" else None
    if kind == b"iTXt" and body.partition(b"\x00")[2][:1] == b"\x01":
        packed = body.split(b"\x00", 4)[-1]
    if packed is None:
        return True
    try:
        return len(zlib.decompressobj().decompress(packed, _LONGEST_TEXT + 1)) <= _LONGEST_TEXT
    except zlib.error:
        return False
