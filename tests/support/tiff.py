"""TIFF files of any depth and layout, written by hand."""

import struct
import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Entry = tuple[int, int, Sequence[int]]
"""Tag, type (3 SHORT, 4 LONG) and values."""


def tiff(
    samples: NDArray[np.integer],
    bits: int,
    photometric: int,
    *,
    order: str = "<",
    deflate: bool = False,
    planar: bool = False,
    rows: int | None = None,
    tile: int | None = None,
    more: Sequence[Entry] = (),
) -> bytes:
    """A TIFF file.

    Args:
        samples: [height, width, samples of a pixel]; of `bits` bits each.
        bits: of a sample.
        photometric: 0 white is zero, 1 black is zero, 2 RGB, 5 CMYK, 6 YCbCr.
        order: "<" or ">".
        deflate: whether the strips are compressed.
        planar: whether the samples of a pixel lie in planes of their own.
        rows: of a strip.
        tile: side of a tile, instead of strips.
        more: further entries.
    """
    height, width, count = samples.shape
    planes = [samples[..., plane : plane + 1] for plane in range(count)] if planar else [samples]
    pieces = []
    for plane in planes:
        if tile:
            below, right = -height % tile, -width % tile
            padded = np.pad(plane, ((0, below), (0, right), (0, 0)), mode="edge")
            pieces += [
                padded[top : top + tile, left : left + tile]
                for top in range(0, height, tile)
                for left in range(0, width, tile)
            ]
        else:
            step = rows or height
            pieces += [plane[top : top + step] for top in range(0, height, step)]
    stored = [packed(piece, bits, order) for piece in pieces]
    if deflate:
        stored = [zlib.compress(piece) for piece in stored]
    starts = [8 + sum(map(len, stored[:index])) for index in range(len(stored))]
    sizes = [len(piece) for piece in stored]
    layout: list[Entry] = (
        [(322, 3, [tile]), (323, 3, [tile]), (324, 4, starts), (325, 4, sizes)]
        if tile
        else [(273, 4, starts), (278, 4, [rows or height]), (279, 4, sizes)]
    )
    entries: list[Entry] = [
        (256, 4, [width]),
        (257, 4, [height]),
        (258, 3, [bits] * count),
        (259, 3, [8 if deflate else 1]),
        (262, 3, [photometric]),
        (277, 3, [count]),
        (284, 3, [2 if planar else 1]),
        *layout,
        *more,
    ]
    return directory_after(b"".join(stored), sorted(entries), order)


def directory_after(pixels: bytes, entries: Sequence[Entry], order: str = "<") -> bytes:
    """A TIFF file of these bytes, from offset 8, and a directory as it is given."""
    at = 8 + len(pixels) + 2 + 12 * len(entries) + 4
    directory, beyond = struct.pack(f"{order}H", len(entries)), b""
    for tag, kind, values in entries:
        value = struct.pack(f"{order}{len(values)}{'H' if kind == 3 else 'I'}", *values)
        if len(value) > 4:
            value, beyond = struct.pack(f"{order}I", at + len(beyond)), beyond + value
        directory += struct.pack(f"{order}HHI", tag, kind, len(values)) + value.ljust(4, b"\x00")
    header = (b"II*\x00" if order == "<" else b"MM\x00*") + struct.pack(
        f"{order}I", 8 + len(pixels)
    )
    return header + pixels + directory + bytes(4) + beyond


def packed(samples: NDArray[np.integer], bits: int, order: str) -> bytes:
    """Samples as TIFF stores them: whole bytes in that order, else packed, each row from a byte."""
    if bits in (8, 16, 32):
        return samples.astype(f"{order}u{bits // 8}").tobytes()
    rows = samples.reshape(len(samples), -1, 1).astype(np.uint32)
    ones = (rows >> np.arange(bits - 1, -1, -1, dtype=np.uint32)) & 1
    return np.packbits(ones.reshape(len(rows), -1).astype(np.uint8), axis=1).tobytes()
