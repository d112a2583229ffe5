"""Valid but rare: every mode, compression, orientation and kind of metadata."""

import struct
from collections.abc import Iterator

import numpy as np
from PIL import Image, ImageCms

from tools.reliability.corpus.binary import insert_jpeg_segments, jpeg_segment
from tools.reliability.corpus.case import INVALID, PREDICTION, UNSUPPORTED, Case
from tools.reliability.corpus.pictures import FORMATS, encode, picture

_ANIMATED = ("GIF", "PNG", "WEBP", "TIFF", "AVIF")
_WITH_EXIF = ("JPEG", "PNG", "WEBP", "TIFF", "AVIF")
_WITH_PROFILE = ("JPEG", "PNG", "WEBP", "TIFF", "AVIF")
_TIFF_COMPRESSIONS = ("raw", "packbits", "tiff_lzw", "tiff_deflate", "tiff_adobe_deflate", "jpeg")
_TIFF_RARE = ("tiff_ccitt", "group3", "group4", "lzma", "zstd", "webp")
# Adobe's APP14 marker, transform 0: CMYK stored inverted, as Photoshop writes it.
_ADOBE = b"Adobe" + struct.pack(">HHHB", 100, 0, 0, 0)


def unusual() -> Iterator[Case]:
    """Images that must be classified, and those of kinds that are refused by decision."""
    yield from _plain()
    yield from _jpegs()
    yield from _modes()
    yield from _tiffs()
    yield from _animations()
    yield from _metadata()


def _plain() -> Iterator[Case]:
    for image_format in FORMATS:
        for size in ((120, 90), (1, 1), (1, 400), (400, 1)):
            data = encode(picture(*size), image_format)
            yield Case.of(f"plain/{image_format} {size[0]} x {size[1]}", data, PREDICTION)


def _jpegs() -> Iterator[Case]:
    image, cmyk = picture(), picture().convert("CMYK")
    plain = encode(cmyk, "JPEG")
    marker = plain.index(b"\xff\xee")
    without = plain[:marker] + plain[marker + 16 :]
    adobe = insert_jpeg_segments(without, jpeg_segment(0xEE, _ADOBE))
    mpo = encode(image, "MPO", save_all=True, append_images=[image.rotate(180)] * 3)
    cases = {
        "progressive": encode(image, "JPEG", progressive=True),
        "progressive grey": encode(image.convert("L"), "JPEG", progressive=True),
        "4:4:4": encode(image, "JPEG", subsampling=0),
        "restart markers": encode(image, "JPEG", restart_marker_blocks=1),
        "CMYK with Adobe marker": adobe,
        "CMYK without Adobe marker": without,
        "progressive CMYK": encode(cmyk, "JPEG", progressive=True),
        "MPO of four": mpo,
    }
    for name, data in cases.items():
        yield Case.of(f"JPEG/{name}", data, PREDICTION)


def _modes() -> Iterator[Case]:
    image = picture()
    deep = Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) << 8)
    palette = image.quantize(64)
    for name, data in {
        "16-bit grey PNG": encode(deep, "PNG"),
        "16-bit grey TIFF": encode(deep, "TIFF"),
        "1-bit PNG": encode(image.convert("1"), "PNG"),
        "1-bit BMP": encode(image.convert("1"), "BMP"),
        "palette PNG": encode(palette, "PNG"),
        "palette PNG, transparent index": encode(palette, "PNG", transparency=3),
        "palette PNG, alpha for each": encode(palette, "PNG", transparency=bytes(range(64))),
        "palette GIF, transparent index": encode(palette, "GIF", transparency=3),
        "grey and alpha PNG": encode(image.convert("LA"), "PNG"),
        "RGBA PNG": encode(image.convert("RGBA"), "PNG"),
        "RGBA WebP": encode(image.convert("RGBA"), "WEBP"),
        "RGBA AVIF": encode(image.convert("RGBA"), "AVIF"),
        "RGBA BMP": encode(image.convert("RGBA"), "BMP"),
        "interlaced GIF": encode(palette, "GIF", interlace=1),
        "lossless WebP": encode(image, "WEBP", lossless=True),
        "top-down BMP": _top_down(encode(image, "BMP")),
    }.items():
        yield Case.of(f"mode/{name}", data, PREDICTION)
    for mode in ("F", "LAB"):
        yield Case.of(f"mode/{mode} TIFF", encode(Image.new(mode, (60, 60)), "TIFF"), UNSUPPORTED)


def _top_down(bmp: bytes) -> bytes:
    height = struct.unpack_from("<i", bmp, 22)[0]
    size, width_bytes = 54, (len(bmp) - 54) // height
    rows = [bmp[size + row * width_bytes :][:width_bytes] for row in reversed(range(height))]
    return bmp[:22] + struct.pack("<i", -height) + bmp[26:size] + b"".join(rows)


def _tiffs() -> Iterator[Case]:
    image = picture()
    for compression in _TIFF_COMPRESSIONS:
        data = encode(image, "TIFF", compression=compression)
        yield Case.of(f"TIFF/{compression}", data, PREDICTION)
    for compression in _TIFF_RARE:
        rare = image.convert("1") if compression.startswith(("tiff_c", "group")) else image
        try:
            data = encode(rare, "TIFF", compression=compression)
        except OSError:
            continue  # this build of Pillow cannot write it
        yield Case.of(f"TIFF/{compression}", data, UNSUPPORTED)
    pages = encode(image, "TIFF", save_all=True, append_images=[image] * 30)
    yield Case.of("TIFF/31 pages", pages, PREDICTION)
    yield Case.of("TIFF/CMYK", encode(image.convert("CMYK"), "TIFF"), PREDICTION)
    yield Case.of("TIFF/big-endian", encode(image, "TIFF", big_tiff=False), PREDICTION)


def _animations() -> Iterator[Case]:
    frames = [picture(60, 60).rotate(angle) for angle in range(0, 360, 6)]
    for image_format in _ANIMATED:
        count = 5 if image_format == "AVIF" else len(frames)  # its encoder is slow
        data = encode(frames[0], image_format, save_all=True, append_images=frames[1:count])
        yield Case.of(f"animation/{image_format} of {count} frames", data, PREDICTION)


def _metadata() -> Iterator[Case]:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for image_format in _WITH_PROFILE:
        for name, icc in (("valid", profile), ("garbage", b"\x00\x01not a profile" * 9)):
            data = encode(picture(), image_format, icc_profile=icc)
            yield Case.of(f"ICC profile/{name} {image_format}", data, PREDICTION)
    for image_format in _WITH_EXIF:
        for orientation in range(1, 9):
            exif = Image.Exif()
            exif[0x0112] = orientation
            data = encode(picture(), image_format, exif=exif.tobytes())
            yield Case.of(f"EXIF/orientation {orientation} {image_format}", data, PREDICTION)
    for name, broken in _broken_exif().items():
        for image_format in ("JPEG", "PNG", "WEBP"):
            data = encode(picture(), image_format, exif=b"Exif\x00\x00" + broken)
            yield Case.of(f"EXIF/{name} {image_format}", data, PREDICTION, INVALID)


def _broken_exif() -> dict[str, bytes]:
    head = b"MM\x00*\x00\x00\x00\x08"
    entry = struct.pack(">HHI", 0x0112, 3, 1)
    text = struct.pack(">HHI", 0x0112, 2, 2) + b"a\x00\x00\x00"
    return {
        "garbage": b"garbage",
        "empty": b"",
        "cut after the head": head,
        "offset beyond the end": b"MM\x00*\xff\xff\xff\xff",
        "65,535 entries announced": head + b"\xff\xff",
        "orientation 9": head + b"\x00\x01" + entry + b"\x00\x09\x00\x00" + bytes(4),
        "orientation as text": head + b"\x00\x01" + text,
        "orientation of four billion values": head
        + b"\x00\x01"
        + struct.pack(">HHII", 0x0112, 3, 2**32 - 1, 8)
        + bytes(4),
        "directory that points at itself": head
        + b"\x00\x01"
        + struct.pack(">HHII", 0x8769, 4, 1, 8)
        + struct.pack(">I", 8),
    }
