"""PNG files: what nobody needs touches nothing, and transparent colours are compared rightly."""

import struct
import zlib

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from app.contract.errors import InvalidImage, UnsupportedImageFormat
from tests.app.contract.image_files.prepared import difference, prepared
from tests.support.images import encode, landscape
from tests.support.tiff import packed

PICTURE = landscape()
FILE = encode(PICTURE)
REFERENCE = prepared(FILE)
BEHIND_HEADER, BEFORE_END = 33, len(FILE) - 12
NOISE = np.random.default_rng(0).bytes(1_300_000)
LONG = zlib.compress(b"node " * 400_000)
XMP = b'<rdf:Description tiff:Orientation="6"/>'


def chunk(kind: bytes, body: bytes) -> bytes:
    check = zlib.crc32(kind + body)
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", check)


METADATA = {
    "profile": (b"iCCP", b"p\x00\x00" + zlib.compress(NOISE)),
    "profile of unknown compression": (b"iCCP", b"p\x00\x07xx"),
    "text": (b"zTXt", b"workflow\x00\x00" + LONG),
    "international text": (b"iTXt", b"XML:com.adobe.xmp\x00\x01\x00\x00\x00" + LONG),
    "plain text": (b"tEXt", b"XML:com.adobe.xmp\x00" + b"x" * 2_000_000),
    "EXIF as text": (b"zTXt", b"Raw profile type exif\x00\x00" + LONG),
    "EXIF as text that is none": (b"tEXt", b"Raw profile type exif\x00\nexif\n  4\nzz"),
    "EXIF that is none": (b"eXIf", b"junk"),
    "gamma that is none": (b"gAMA", b""),
    "animation that is none": (b"acTL", b""),
    "private": (b"caNv", NOISE),
}


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's remarks on broken metadata
@pytest.mark.parametrize("at", [BEHIND_HEADER, BEFORE_END])
@pytest.mark.parametrize("kind", METADATA)
def test_metadata_changes_nothing(kind: str, at: int) -> None:
    piece = chunk(*METADATA[kind])
    for metadata in (piece, piece * 3, piece[:-1] + bytes([piece[-1] ^ 1])):
        assert np.array_equal(prepared(FILE[:at] + metadata + FILE[at:]), REFERENCE)


@pytest.mark.parametrize("at", [BEHIND_HEADER, BEFORE_END])
@pytest.mark.parametrize("kind", ["exif", "exif as text", "xmp", "packed xmp"])
def test_orientation_survives(kind: str, at: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    raw = exif.tobytes().removeprefix(b"Exif\x00\x00")
    text = f"\nexif\n{len(raw) + 6:8}\n{(b'Exif' + bytes(2) + raw).hex()}\n".encode()
    metadata = {
        "exif": chunk(b"eXIf", raw),
        "exif as text": chunk(b"zTXt", b"Raw profile type exif\x00\x00" + zlib.compress(text)),
        "xmp": chunk(b"iTXt", b"XML:com.adobe.xmp\x00\x00\x00\x00\x00" + XMP),
        "packed xmp": chunk(b"iTXt", b"XML:com.adobe.xmp\x00\x01\x00\x00\x00" + zlib.compress(XMP)),
    }[kind]
    turned = encode(PICTURE.transpose(Image.Transpose.ROTATE_90))
    place = at if at == BEHIND_HEADER else len(turned) - 12
    assert difference(prepared(turned[:place] + metadata + turned[place:]), REFERENCE) < 1


@pytest.mark.parametrize("missing", [1, 4, 8, 12, 16])
def test_a_file_that_lacks_what_follows_the_pixels_is_whole(missing: int) -> None:
    assert np.array_equal(prepared(FILE[:-missing]), REFERENCE)


def test_a_file_that_lacks_pixels_is_truncated() -> None:
    for missing in range(40, len(FILE) - 8, 97):
        with pytest.raises(InvalidImage):
            prepared(FILE[:-missing])


def test_a_chunk_that_pixels_may_depend_on_is_not_skipped() -> None:
    """Apple's tools write such files for telephones: their pixels are swapped and packed anew."""
    with pytest.raises(UnsupportedImageFormat, match="CgBI"):
        prepared(FILE[:8] + chunk(b"CgBI", bytes(4)) + FILE[8:])


def test_absurdly_many_chunks_are_refused() -> None:
    pieces = chunk(b"tEXt", b"") * 20_001
    with pytest.raises(InvalidImage, match="chunks"):
        prepared(FILE[:BEHIND_HEADER] + pieces + FILE[BEHIND_HEADER:])


def flat(level: int, depth: int, colour: int, transparent: bytes) -> bytes:
    """A PNG of one grey level (`colour` 0) or of one colour (2), with a transparent colour."""
    samples: NDArray[np.uint32] = np.full((20, 20, 3 if colour else 1), level, np.uint32)
    rows = packed(samples, depth, ">")
    width = len(rows) // 20
    filtered = b"".join(b"\x00" + rows[at : at + width] for at in range(0, len(rows), width))
    header = struct.pack(">IIBBBBB", 20, 20, depth, colour, 0, 0, 0)
    return (
        FILE[:8]
        + chunk(b"IHDR", header)
        + chunk(b"tRNS", transparent)
        + chunk(b"IDAT", zlib.compress(filtered))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("depth", [1, 2, 4, 8, 16])
def test_a_transparent_grey_of_any_depth_is_transparent_and_no_other(depth: int) -> None:
    assert (prepared(flat(1, depth, 0, b"\x00\x01")) == 255).all()
    black = prepared(flat(0, depth, 0, b"\x00\x01"))
    assert (black == 0).all()


def test_a_transparent_colour_that_cannot_be_told_is_refused() -> None:
    assert (prepared(flat(7, 8, 2, b"\x00\x07" * 3)) == 255).all()
    with pytest.raises(UnsupportedImageFormat, match="transparent"):
        prepared(flat(777, 16, 2, b"\x00\x03" * 3))
