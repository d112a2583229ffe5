"""JPEG inside of TIFF: as bounded as a JPEG, and otherwise as before."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from PIL.TiffImagePlugin import TiffImageFile

from app.contract.errors import InvalidImage, UnsupportedImageFormat
from tests.app.contract.image_files.prepared import difference, prepared
from tests.support.images import encode, landscape
from tests.support.tiff import Entry, directory_after

PICTURE = landscape()
END = b"\xff\xd9"


def holding(*jpegs: bytes, rows: int = 64, overlap: int = 0, sizes: int | None = None) -> bytes:
    """A TIFF of strips that are JPEG files of 96 pixels' width."""
    starts = [8 + sum(map(len, jpegs[:index])) - overlap * index for index in range(len(jpegs))]
    lengths = [len(jpeg) for jpeg in jpegs][:sizes]
    entries: list[Entry] = [
        (256, 4, [96]), (257, 4, [rows * len(jpegs)]), (258, 3, [8, 8, 8]), (259, 3, [7]),
        (262, 3, [6]), (273, 4, starts), (277, 3, [3]), (278, 4, [rows]), (279, 4, lengths),
        (530, 3, [2, 2]),
    ]  # fmt: skip
    return directory_after(b"".join(jpegs), entries)


def jpeg(**options: int) -> bytes:
    return encode(PICTURE, "JPEG", quality=92, **options)


def with_scans(count: int) -> bytes:
    """A progressive JPEG whose last scan comes again and again."""
    data = jpeg(progressive=1).removesuffix(END)
    return data + data[data.rindex(b"\xff\xda") :] * (count - 10) + END


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("rows", [None, 16])
def test_what_libtiff_writes_is_read(mode: str, rows: int | None) -> None:
    picture, buffer = PICTURE.convert(mode), BytesIO()
    strips = {278: rows} if rows else {}
    picture.save(buffer, "TIFF", compression="jpeg", quality=95, tiffinfo=strips)
    written = Image.open(BytesIO(buffer.getvalue()))
    assert isinstance(written, TiffImageFile)
    assert written.tag_v2[259] == 7
    assert difference(prepared(buffer.getvalue()), prepared(encode(picture, "TIFF"))) < 2.5


@pytest.mark.parametrize("progressive", [0, 1])
def test_a_strip_gives_the_picture_of_its_file(progressive: int) -> None:
    data = jpeg(progressive=progressive)
    assert difference(prepared(holding(data)), prepared(data)) < 0.5


def test_what_a_decoder_does_not_need_changes_nothing() -> None:
    comment = b"\xff\xfe\x40\x02" + END * 0x2000
    data = jpeg()
    more = data[:2] + comment * 3 + data[2:] + b"\xff\xda" * 100
    assert np.array_equal(prepared(holding(more)), prepared(holding(data)))


def test_the_scans_of_a_strip_are_counted() -> None:
    prepared(holding(with_scans(24)))
    for strips in ((with_scans(25),), (jpeg(), with_scans(99))):
        with pytest.raises(InvalidImage, match="more than 24 scans"):
            prepared(holding(*strips))


def test_strips_may_be_the_same_but_not_overlap() -> None:
    data = jpeg()
    twice = holding(data, data)
    offset = (8 + len(data)).to_bytes(4, "little")
    at = twice.rindex(offset)
    same = twice[:at] + (8).to_bytes(4, "little") + twice[at + 4 :]
    assert np.array_equal(prepared(same), prepared(twice))
    with pytest.raises(InvalidImage, match="overlap"):
        prepared(holding(data, data, overlap=5))


@pytest.mark.parametrize(
    ("strips", "sizes", "why"),
    [
        ((jpeg(), jpeg()), 1, "numbers of strips"),
        ((b"\x00" * 100,), None, "not a JPEG"),
        ((b"\xff\xd8" + END,) * 4097, None, "more than 4096"),
        ((jpeg()[:300],), None, "truncated"),
        ((jpeg().replace(b"\xff\xc0\x00\x11\x08", b"\xff\xc0\x00\x11\x0c"),), None, "12 bits"),
    ],
)
def test_what_is_no_jpeg_of_the_kind_is_refused(
    strips: tuple[bytes, ...], sizes: int | None, why: str
) -> None:
    with pytest.raises((InvalidImage, UnsupportedImageFormat), match=why):
        prepared(holding(*strips, rows=8, sizes=sizes), max_pixels=16_000_000)
