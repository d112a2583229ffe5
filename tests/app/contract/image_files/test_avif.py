"""AVIF files: their brands, and how large the coded images in them really are."""

import numpy as np
import pytest
from PIL import Image

from app.contract.errors import ImageTooLarge, InvalidImage, UnsupportedImageFormat
from app.contract.image_files.av1 import coded_frames
from tests.app.contract.image_files.prepared import difference, prepared
from tests.support.images import encode, landscape

PICTURE = landscape()
FILE = encode(PICTURE, "AVIF", quality=90)


def branded(brand: bytes) -> bytes:
    return FILE[:8] + brand + FILE[12:]


@pytest.mark.parametrize("brand", [b"mif1", b"miaf", b"MA1B", b"MA1A", b"avis", b"msf1"])
def test_a_compatible_brand_counts_as_much_as_the_major_one(brand: bytes) -> None:
    assert np.array_equal(prepared(branded(brand)), prepared(FILE))


@pytest.mark.parametrize(
    "data",
    [
        b"\x00\x00\x00\x18ftypmif1\x00\x00\x00\x00mif1heic" + bytes(300),
        b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic" + b"avif" * 9,
        b"\x00\x00\x00\x18ftypisom\x00\x00\x00\x00isommp42" + bytes(300),
        b"\x00\x00\x00\x10ftypmif1\x00\x00\x00\x00avif",
    ],
)
def test_other_files_of_the_same_container_are_unsupported(data: bytes) -> None:
    with pytest.raises(UnsupportedImageFormat):
        prepared(data)


def claiming(data: bytes, width: int, height: int) -> bytes:
    """The file whose container tells another size than the coded image has."""
    at = data.index(b"ispe") + 8
    return data[:at] + width.to_bytes(4, "big") + height.to_bytes(4, "big") + data[at + 8 :]


def test_a_coded_image_larger_than_the_container_tells_is_too_large() -> None:
    large = encode(Image.new("RGB", (1200, 900)), "AVIF", speed=10)
    for data in (large, claiming(large, 30, 30)):
        with pytest.raises(ImageTooLarge):
            prepared(data)
    assert prepared(large, max_pixels=1200 * 900).shape == (32, 36, 3)


def test_a_sequence_gives_its_first_frame() -> None:
    more = [PICTURE.rotate(180)] * 2
    data = encode(PICTURE, "AVIF", quality=90, save_all=True, append_images=more)
    assert difference(prepared(data), prepared(FILE)) < 2


def test_a_sequence_without_a_still_image_is_unsupported() -> None:
    data = encode(PICTURE, "AVIF", save_all=True, append_images=[PICTURE.rotate(180)])
    with pytest.raises(UnsupportedImageFormat, match="still"):
        prepared(data.replace(b"meta", b"free", 1))


def test_items_described_twice_are_refused() -> None:
    at = FILE.index(b"meta") - 4
    size = int.from_bytes(FILE[at : at + 4], "big")
    with pytest.raises(InvalidImage, match="twice"):
        prepared(FILE + FILE[at : at + size])


def unit(kind: int, payload: bytes) -> bytes:
    return bytes([kind << 3 | 2, len(payload)]) + payload


def bits(*fields: tuple[int, int]) -> bytes:
    """Fields of (bits, value), padded to bytes."""
    text = "".join(f"{value:0{count}b}" for count, value in fields if count)
    text += "0" * (-len(text) % 8)
    return int(text, 2).to_bytes(len(text) // 8, "big")


SIZE = ((4, 11), (4, 10), (12, 2999), (11, 1999))


@pytest.mark.parametrize(
    "header",
    [
        pytest.param(bits((3, 0), (1, 1), (1, 1), (5, 0), *SIZE), id="still"),
        pytest.param(
            bits((3, 0), (2, 0), (1, 0), (1, 0), (5, 0), (12, 0), (5, 8), (1, 0), *SIZE),
            id="sequence",
        ),
        pytest.param(
            bits(
                (3, 0), (2, 0), (1, 1), (32, 1), (32, 25), (1, 1), (3, 0b010), (1, 1),
                (5, 3), (32, 9), (10, 0), (1, 1), (5, 1),
                (12, 1), (5, 0), (1, 1), (9, 0), (1, 1), (4, 2),
                (12, 2), (5, 9), (1, 1), (1, 0), (1, 0), *SIZE,
            ),
            id="everything",
        ),
    ],
)  # fmt: skip
def test_reads_the_size_in_every_kind_of_header(header: bytes) -> None:
    data = unit(2, b"") + unit(1, header) + unit(6, b"abc") + unit(3, b"x") + unit(6, b"y")
    coded = coded_frames(data)
    assert (coded.pixels, coded.frames) == (3000 * 2000, 3)


def test_a_size_that_frames_may_exceed_is_refused() -> None:
    wide = bits(
        (3, 0),
        (2, 0),
        (1, 0),
        (1, 0),
        (5, 0),
        (12, 0),
        (5, 0),
        (4, 15),
        (4, 10),
        (16, 99),
        (11, 1999),
    )
    with pytest.raises(UnsupportedImageFormat, match="larger"):
        coded_frames(unit(1, wide))


def test_hidden_frames_count() -> None:
    header = unit(1, bits((3, 0), (1, 1), (1, 1), (5, 0), *SIZE))
    assert coded_frames(header + unit(6, b"") * 2000).frames == 2000


def test_absurdly_many_pieces_are_refused() -> None:
    with pytest.raises(InvalidImage, match="pieces"):
        coded_frames(unit(15, b"") * 5000)
