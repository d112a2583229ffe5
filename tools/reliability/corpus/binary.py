"""Containers built by hand, for what no encoder would write."""

import struct
import zlib
from collections.abc import Sequence

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"

SHORT, LONG = 3, 4
"""TIFF field types (TIFF 6.0, section 2)."""

Tag = tuple[int, int, int, int]
"""TIFF tag, field type, count, and value or offset."""


def png_chunk(kind: bytes, body: bytes) -> bytes:
    """One chunk with its check sum (PNG specification, section 5.3)."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_header(
    width: int, height: int, *, depth: int = 8, colour: int = 2, interlace: int = 0
) -> bytes:
    """A PNG's signature and IHDR; `colour` 2 is RGB, 3 palette, 6 RGBA."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace)
    return PNG_SIGNATURE + png_chunk(b"IHDR", header)


def png(width: int, height: int, rows: bytes, before: bytes = b"", after: bytes = b"") -> bytes:
    """An RGB PNG of filtered `rows`, with chunks before and after its pixels."""
    pixels = png_chunk(b"IDAT", zlib.compress(rows, 1))
    end = png_chunk(b"IEND", b"")
    return png_header(width, height) + before + pixels + after + end


def tiff(tags: Sequence[Tag], data: bytes, directory_at: int | None = None) -> bytes:
    """A little-endian TIFF of one directory; `data` begins at offset 8.

    Args:
        tags: the directory's entries.
        data: what offsets point into.
        directory_at: an offset to claim for the directory instead of its own.
    """
    body = data + b"\x00" * (len(data) % 2)
    directory = struct.pack("<H", len(tags))
    for tag, kind, count, value in sorted(tags):
        packed = struct.pack("<HH", value, 0) if kind == SHORT and count == 1 else None
        directory += struct.pack("<HHI", tag, kind, count) + (packed or struct.pack("<I", value))
    at = 8 + len(body) if directory_at is None else directory_at
    return b"II*\x00" + struct.pack("<I", at) + body + directory + bytes(4)


def jpeg_segment(marker: int, body: bytes) -> bytes:
    """One marker segment (ITU T.81, B.1.1.4)."""
    return b"\xff" + bytes([marker]) + struct.pack(">H", len(body) + 2) + body


def insert_jpeg_segments(jpeg: bytes, segments: bytes) -> bytes:
    """The JPEG with segments right after its start marker."""
    return jpeg[:2] + segments + jpeg[2:]
