"""Small files that ask for much memory, or for much time."""

import struct
import zlib
from collections.abc import Iterator

import numpy as np
from PIL import Image

from tools.reliability.corpus.binary import (
    LONG,
    SHORT,
    insert_jpeg_segments,
    jpeg_segment,
    png,
    png_chunk,
    png_header,
    tiff,
)
from tools.reliability.corpus.case import INVALID, PREDICTION, TOO_LARGE, UNSUPPORTED, Case
from tools.reliability.corpus.pictures import encode, picture

# 38.9 megapixels are just under the default limit, 15.9 under that of the hungriest formats.
_SIDES = (6_240, 3_990)
_ANY = (PREDICTION, INVALID, UNSUPPORTED, TOO_LARGE)
_WIDTH, _LENGTH, _BITS, _COMPRESSION, _PHOTOMETRIC = 256, 257, 258, 259, 262
_STRIP_OFFSETS, _SAMPLES, _ROWS, _STRIP_BYTES = 273, 277, 278, 279
_TILE_WIDTH, _TILE_LENGTH, _TILE_OFFSETS, _TILE_BYTES = 322, 323, 324, 325
_DEFLATE = 8


def pixel_bombs() -> Iterator[Case]:
    """Small files of many pixels."""
    for side in _SIDES:
        yield from _many_pixels(side)


def many_pieces(size: int) -> Iterator[Case]:
    """Files of about `size` bytes that consist of very many pieces, or inflate."""
    yield from _jpeg_pieces(size)
    yield from _png_pieces(size)
    yield from _gif_pieces(size)
    yield from _bmp_pieces(size)
    yield from _tiff_pieces(size)
    yield from _exif_pieces(size)


def _many_pixels(side: int) -> Iterator[Case]:
    flat = Image.new("RGB", (side, side), (90, 120, 60))
    clear = Image.new("RGBA", (side, side), (90, 120, 60, 100))
    for name, data in {
        "JPEG": encode(flat, "JPEG", quality=30),
        "progressive JPEG 4:4:4": encode(flat, "JPEG", progressive=True, subsampling=0),
        "progressive CMYK JPEG": encode(flat.convert("CMYK"), "JPEG", progressive=True),
        "progressive JPEG without its end": encode(flat, "JPEG", progressive=True)[:-2],
        "RGB PNG": encode(flat, "PNG", compress_level=1),
        "RGBA PNG": encode(clear, "PNG", compress_level=1),
        "16-bit PNG": encode(Image.new("I;16", (side, side), 700), "PNG", compress_level=1),
        "palette PNG": encode(flat.convert("P"), "PNG", transparency=1, compress_level=1),
        "bilevel PNG": encode(Image.new("1", (side, side)), "PNG", transparency=0),
        "WebP": encode(flat, "WEBP", method=0, quality=1),
        "lossless RGBA WebP": encode(clear, "WEBP", lossless=True, method=0, quality=0),
        "animated WebP": encode(
            flat, "WEBP", save_all=True, append_images=[clear], method=0, quality=1
        ),
        "GIF": encode(flat.convert("P"), "GIF"),
        "transparent GIF": encode(flat.convert("P"), "GIF", transparency=1),
        "deflated TIFF": encode(flat, "TIFF", compression="tiff_deflate"),
        "LZW CMYK TIFF": encode(flat.convert("CMYK"), "TIFF", compression="tiff_lzw"),
        "LZW 16-bit TIFF": encode(Image.new("I;16", (side, side)), "TIFF", compression="tiff_lzw"),
        "deflated TIFF in one strip": _deflated_tiff(side, side),
        "AVIF": encode(flat, "AVIF", speed=10, quality=1),
        "AVIF that tells a smaller size": _understated(encode(flat, "AVIF", speed=10, quality=1)),
        "AVIF 4:4:4 with alpha": encode(clear, "AVIF", speed=10, quality=1, subsampling="4:4:4"),
    }.items():
        yield Case.of(f"many pixels/{name} of {side} x {side}", data, PREDICTION, TOO_LARGE)


def _understated(avif: bytes) -> bytes:
    """An AVIF whose container tells 60 x 60 pixels, whatever its coded image has."""
    at = avif.index(b"ispe") + 8
    return avif[:at] + struct.pack(">II", 60, 60) + avif[at + 8 :]


def _deflated_tiff(width: int, height: int) -> bytes:
    packer = zlib.compressobj(1)
    strip = b"".join(packer.compress(bytes(3 * width)) for _ in range(height)) + packer.flush()
    bits_at = 8 + len(strip) + len(strip) % 2
    tags = [
        (_WIDTH, LONG, 1, width), (_LENGTH, LONG, 1, height), (_BITS, SHORT, 3, bits_at),
        (_COMPRESSION, SHORT, 1, _DEFLATE), (_PHOTOMETRIC, SHORT, 1, 2),
        (_STRIP_OFFSETS, LONG, 1, 8),
        (_SAMPLES, SHORT, 1, 3), (_ROWS, LONG, 1, height), (_STRIP_BYTES, LONG, 1, len(strip)),
    ]  # fmt: skip
    return tiff(tags, strip + b"\x00" * (len(strip) % 2) + struct.pack("<HHH", 8, 8, 8))


def _jpeg_pieces(size: int) -> Iterator[Case]:
    jpeg = encode(picture(), "JPEG")
    for name, piece in {
        "empty comments": jpeg_segment(0xFE, b""),
        "long comments": jpeg_segment(0xFE, bytes(65_000)),
        "EXIF segments": jpeg_segment(0xE1, b"Exif\x00\x00" + bytes(65_000)),
        "profile segments": jpeg_segment(0xE2, b"ICC_PROFILE\x00\x01\xff" + bytes(65_000)),
        "fill bytes": b"\xff" * 1000,
        "junk between segments": jpeg_segment(0xFE, b"") + b"\x00" * 1000,
    }.items():
        many = insert_jpeg_segments(jpeg, piece * (size // len(piece)))
        yield Case.of(f"many pieces/JPEG {name}", many, PREDICTION, INVALID)
    for side in (500, 6_240) if size > 10**6 else (500,):
        scans = _many_scans(side, size)
        yield Case.of(f"many pieces/JPEG scans of {side} x {side}", scans, INVALID, TOO_LARGE)
        hidden = scans.replace(b"\xff\xda", b"\xff\x01\xff\xda")
        name = f"many pieces/JPEG scans behind other markers of {side} x {side}"
        yield Case.of(name, hidden, INVALID, TOO_LARGE)


def _many_scans(side: int, size: int) -> bytes:
    """A progressive JPEG whose last scan stands there again and again."""
    grey = Image.new("L", (side, side), 90)
    jpeg = encode(grey, "JPEG", progressive=True)
    last = jpeg.rindex(b"\xff\xda")
    scan = jpeg[last:-2]
    return jpeg[:-2] + scan * min(size // len(scan), 20_000) + b"\xff\xd9"


def _png_pieces(size: int) -> Iterator[Case]:
    rows = (b"\x00" + bytes(range(180))) * 60
    inflated = zlib.compress(bytes(size * 8), 9)
    text = png_chunk(b"zTXt", b"k\x00\x00" + inflated)
    cases = {
        "unknown chunks": png(60, 60, rows, png_chunk(b"abCd", b"") * (size // 12)),
        "unknown chunks after the pixels": png(
            60, 60, rows, after=png_chunk(b"abCd", b"") * (size // 12)
        ),
        "text chunks": png(60, 60, rows, png_chunk(b"tEXt", b"k\x00v") * (size // 15)),
        "zTXt that inflates": png(60, 60, rows, text),
        "zTXt that inflates, after the pixels": png(60, 60, rows, after=text),
        "many zTXt that inflate": png(
            60, 60, rows, png_chunk(b"zTXt", b"k\x00\x00" + zlib.compress(bytes(10**6))) * 200
        ),
        "iTXt that inflates": png(
            60, 60, rows, png_chunk(b"iTXt", b"k\x00\x01\x00\x00\x00" + inflated)
        ),
        "iCCP that inflates": png(60, 60, rows, png_chunk(b"iCCP", b"p\x00\x00" + inflated)),
        "pixels that inflate": png(60, 60, bytes(size * 8)),
        "one-byte IDAT chunks": _crumbled_png(rows, size),
        "frame control chunks": png(
            60, 60, rows, png_chunk(b"acTL", struct.pack(">II", 2**31 - 1, 0))
        ),
    }
    for name, data in cases.items():
        yield Case.of(f"many pieces/PNG {name}", data, PREDICTION, INVALID)


def _crumbled_png(rows: bytes, size: int) -> bytes:
    """A PNG whose pixel data comes in chunks of one byte, most of them empty."""
    pixels = zlib.compress(rows)
    first = b"".join(png_chunk(b"IDAT", pixels[at : at + 1]) for at in range(10))
    empty = png_chunk(b"IDAT", b"") * (size // 12)
    rest = png_chunk(b"IDAT", pixels[10:]) + png_chunk(b"IEND", b"")
    return png_header(60, 60) + first + empty + rest


def _gif_pieces(size: int) -> Iterator[Case]:
    gif = encode(picture(), "GIF")
    at = 13 + 3 * 2 ** ((gif[10] & 7) + 1)
    for name, piece in {
        "comments": b"!\xfe\x01c\x00",
        "empty extensions": b"!\x01\x00",
        "application extensions": b"!\xff\x0bNETSCAPE2.0\x03\x01\x00\x00\x00",
    }.items():
        many = gif[:at] + piece * (size // len(piece)) + gif[at:]
        yield Case.of(f"many pieces/GIF {name}", many, PREDICTION, INVALID)
    blocks = gif[:at] + b"!\xfe" + b"\x01c" * (size // 2) + b"\x00" + gif[at:]
    yield Case.of("many pieces/GIF comment blocks", blocks, PREDICTION, INVALID)


def _bmp_pieces(size: int) -> Iterator[Case]:
    for name, width, height, body in (
        ("run lengths of one", 6_000, 6_000, b"\x01\x07" * (size // 2)),
        ("deltas", 30_000_000, 1, b"\x00\x02\xff\xff" * 50),
        ("ends of line", 6_000, 6_000, b"\x01\x07\x00\x00" * 6_000),
    ):
        header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 1, len(body), 0, 0, 256, 0)
        palette = bytes(1024)
        offset = 14 + len(header) + len(palette)
        total = offset + len(body)
        data = b"BM" + struct.pack("<IHHI", total, 0, 0, offset) + header + palette + body
        yield Case.of(f"many pieces/BMP {name}", data, UNSUPPORTED)


def _tiff_pieces(size: int) -> Iterator[Case]:
    count = size // 8
    offsets = struct.pack("<I", 8) * count
    base = [
        (_WIDTH, LONG, 1, 1), (_LENGTH, LONG, 1, count), (_BITS, SHORT, 1, 8),
        (_COMPRESSION, SHORT, 1, 1), (_PHOTOMETRIC, SHORT, 1, 1), (_ROWS, LONG, 1, 1),
    ]  # fmt: skip
    strips = [(_STRIP_OFFSETS, LONG, count, 8), (_STRIP_BYTES, LONG, count, 8)]
    yield Case.of("many pieces/TIFF strips", tiff([*base, *strips], offsets), INVALID)
    wide = [tag for tag in base if tag[0] != _BITS]
    bits = [(_BITS, SHORT, count * 2, 8), (_STRIP_OFFSETS, LONG, 1, 8)]
    yield Case.of("many pieces/TIFF bits per sample", tiff([*wide, *bits], offsets), INVALID)
    shared = [(tag, 1, size - 1000, 8) for tag in range(40_000, 41_000)]
    few = [(_WIDTH, LONG, 1, 8), (_LENGTH, LONG, 1, 8), (_STRIP_OFFSETS, LONG, 1, 8), *base[2:5]]
    yield Case.of(
        "many pieces/TIFF tags that share data", tiff([*few, *shared], bytes(size)), *_ANY
    )
    many = [(tag, 4, 1, 0) for tag in range(1_000, 65_000)]
    yield Case.of("many pieces/TIFF tags", tiff([*few, *many], bytes(64)), *_ANY)
    directories = [*few, (0x8769, LONG, 1, 8), (0x8825, LONG, 1, 8)]
    crowd = struct.pack("<H", 65_535) + struct.pack("<HHII", 1, 2, size - 1000, 8) * (size // 12)
    yield Case.of("many pieces/TIFF sub-directories", tiff(directories, crowd), *_ANY)
    yield Case.of("many pieces/TIFF tile of 30,000 x 30,000", _tiled_tiff(30_000, size), INVALID)


def _tiled_tiff(side: int, size: int) -> bytes:
    packer = zlib.compressobj(1)
    rows = [packer.compress(bytes(side)) for _ in range(min(side, size))]
    tile = b"".join(rows) + packer.flush()
    tags = [
        (_WIDTH, LONG, 1, 100), (_LENGTH, LONG, 1, 100), (_BITS, SHORT, 1, 8),
        (_COMPRESSION, SHORT, 1, _DEFLATE), (_PHOTOMETRIC, SHORT, 1, 1),
        (_TILE_WIDTH, LONG, 1, side), (_TILE_LENGTH, LONG, 1, side),
        (_TILE_OFFSETS, LONG, 1, 8), (_TILE_BYTES, LONG, 1, len(tile)),
    ]  # fmt: skip
    return tiff(tags, tile)


def _exif_pieces(size: int) -> Iterator[Case]:
    entries = min(65_535, size // 24)
    body = struct.pack(">H", entries)
    for tag in range(entries):
        body += struct.pack(">HHII", 65_535 - tag, 1, size // 2, 8)
    exif = b"MM\x00*\x00\x00\x00\x08" + body + bytes(4)
    exif += bytes(max(0, size - len(exif)))
    noise = np.random.default_rng(1).integers(0, 256, (60, 60, 3), dtype=np.uint8)
    for image_format in ("PNG", "WEBP", "AVIF"):
        data = encode(Image.fromarray(noise), image_format, exif=exif)
        yield Case.of(f"many pieces/{image_format} EXIF entries", data, PREDICTION, INVALID)
