"""JPEG files: what stands between scans, what is missing, and what is not decoded."""

import re

import numpy as np
import pytest
from numpy.typing import NDArray

from app.contract.errors import ImageTooLarge, InvalidImage, UnsupportedImageFormat
from app.contract.image_files.jpeg import read_jpeg
from app.contract.preprocess import preprocess
from tests.app.contract.image_files.prepared import PLAIN, difference, prepared
from tests.support.images import encode, encode_oriented, landscape, photo

END = b"\xff\xd9"
PICTURE = landscape()
KINDS: dict[str, dict[str, int]] = {
    "baseline": {},
    "progressive": {"progressive": 1},
    "restarts": {"restart_marker_rows": 1},
    "4:4:4": {"subsampling": 0},
}
FILES = {name: encode(PICTURE, "JPEG", quality=92, **options) for name, options in KINDS.items()}


def scaled(data: bytes) -> NDArray[np.uint8]:
    """The network's input where the decoder may scale."""
    scaling = PLAIN.model_copy(update={"scaled_decoding": True})
    return preprocess(data, scaling, max_pixels=1_000_000)


def segment(marker: int, body: bytes = b"") -> bytes:
    return b"\xff" + bytes([marker]) + (len(body) + 2).to_bytes(2, "big") + body


def with_scans(count: int, between: bytes = b"", within: bytes = b"") -> bytes:
    """A progressive JPEG whose last scan comes again and again."""
    data = FILES["progressive"].removesuffix(END)
    at = data.rindex(b"\xff\xda")
    return data + between + (data[at:] + within) * (count - 10) + END


def parts(data: bytes) -> tuple[bytes, bytes]:
    """The start marker, and what follows it."""
    return data[:2], data[2:]


BETWEEN_SCANS = {
    "nothing": b"",
    "a marker without parameters": b"\xff\x01",
    "restart markers": b"\xff\xd0\xff\xd7",
    "fill bytes": b"\xff\xff\xff\xff",
    "a comment that looks like the end": segment(0xFE, END * 50),
    "a comment": segment(0xFE, b"x" * 60_000),
    "a start marker": b"\xff\xd8",
    "junk": b"\x00\x17\x99" * 100,
    "a stuffed byte": b"\xff\x00\x00\x00",
    "a marker that is reserved": segment(0x02, b"abc"),
    "a number of lines": segment(0xDC, b"\x00\x40"),
}


@pytest.mark.parametrize("between", BETWEEN_SCANS.values(), ids=BETWEEN_SCANS)
def test_scans_are_counted_whatever_stands_between_them(between: bytes) -> None:
    assert prepared(with_scans(24, between)).shape == (32, 36, 3)
    for data in (with_scans(25, between), with_scans(60, within=between)):
        with pytest.raises(InvalidImage, match="more than 24 scans"):
            prepared(data)


@pytest.mark.parametrize("between", BETWEEN_SCANS.values(), ids=BETWEEN_SCANS)
@pytest.mark.parametrize("kind", ["baseline", "progressive"])
def test_what_stands_between_the_first_segments_changes_nothing(kind: str, between: bytes) -> None:
    start, rest = parts(FILES[kind])
    between = segment(0xFE) + between
    assert np.array_equal(prepared(start + between + rest), prepared(FILES[kind]))


@pytest.mark.parametrize(
    "extra",
    [
        segment(0xE1, b"Exif\x00\x00" + b"\xff\xda\xff\xd9" * 900),
        segment(0xE2, b"MPF\x00" + b"\xff\xda" * 900),
        segment(0xE2, b"ICC_PROFILE\x00\x01\x01" + bytes(60_000)),
        segment(0xED, b"Photoshop 3.0\x008BIM\x04\x04" + b"\xff" * 40),
    ],
)
@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's remarks on broken metadata
def test_metadata_that_looks_like_scans_is_not_counted(extra: bytes) -> None:
    start, rest = parts(FILES["progressive"])
    assert np.array_equal(prepared(start + extra * 20 + rest), prepared(start + rest))


@pytest.mark.parametrize("kind", FILES)
def test_what_follows_the_image_is_ignored(kind: str) -> None:
    """Telephones append films, further pictures and depth maps."""
    data = FILES[kind]
    for more in (data * 3, b"\xff\xda" * 100_000, b"ftypmp42" + bytes(1000)):
        assert np.array_equal(prepared(data + more), prepared(data))


@pytest.mark.parametrize("orientation", [3, 6])
def test_orientation_survives(orientation: int) -> None:
    upright = prepared(encode(PICTURE, "JPEG", quality=95))
    assert difference(prepared(encode_oriented(PICTURE, orientation)), upright) < 2.5


def test_orientation_in_xmp_survives() -> None:
    xmp = b'http://ns.adobe.com/xap/1.0/\x00<rdf:Description tiff:Orientation="3"/>'
    start, rest = parts(encode(PICTURE.rotate(180), "JPEG", quality=95))
    upright = prepared(encode(PICTURE, "JPEG", quality=95))
    assert difference(prepared(start + segment(0xE1, xmp) + rest), upright) < 2.5


@pytest.mark.parametrize("missing", [END, END[1:]])
@pytest.mark.parametrize("kind", FILES)
def test_a_file_that_lacks_its_end_marker_only_has_all_pixels(kind: str, missing: bytes) -> None:
    data = FILES[kind]
    assert np.array_equal(prepared(data.removesuffix(missing)), prepared(data))


@pytest.mark.parametrize("kind", FILES)
def test_a_file_that_lacks_pixels_is_truncated_wherever_it_ends(kind: str) -> None:
    data = FILES[kind]
    # Before that, only the last blocks lack a few bits.
    for missing in range(20, len(data) - 2, 7):
        with pytest.raises(InvalidImage, match="JPEG"):
            prepared(data[:-missing])


@pytest.mark.parametrize("kind", FILES)
def test_scaled_down_in_decoding_it_is_judged_alike(kind: str) -> None:
    data = encode(landscape((1000, 750)), "JPEG", quality=92, **KINDS[kind])
    assert np.array_equal(scaled(data.removesuffix(END)), scaled(data))
    for missing in (20, 200, 2000, len(data) // 2):
        with pytest.raises(InvalidImage, match="truncated"):
            scaled(data[:-missing])


@pytest.mark.parametrize("interval", [1, 7, 30])
@pytest.mark.parametrize("progressive", [0, 1])
def test_a_file_that_ends_at_a_restart_is_truncated(interval: int, progressive: int) -> None:
    options = {"progressive": progressive, "restart_marker_blocks": interval}
    data = encode(landscape((320, 240)), "JPEG", quality=92, **options)
    assert np.array_equal(prepared(data.removesuffix(END)), prepared(data))
    scan = data.rindex(b"\xff\xda")
    restarts = [found.start() for found in re.finditer(rb"\xff[\xd0-\xd7]", data[scan:])]
    # After the last ones only blocks of nothing may follow, which need no data.
    for restart in restarts[: -len(restarts) // 4]:
        for end in (scan + restart, scan + restart + 2):
            with pytest.raises(InvalidImage, match="truncated"):
                prepared(data[:end])


def test_a_file_that_ends_between_two_scans_is_truncated() -> None:
    data = FILES["progressive"]
    at = data.rindex(b"\xff\xda")
    for end in (at, data.rindex(b"\xff\xc4", 0, at)):
        with pytest.raises(InvalidImage, match="truncated"):
            prepared(data[:end])


@pytest.mark.parametrize("size", [(64, 48), (65, 49), (8, 8), (17, 300)])
def test_sizes_that_are_no_whole_blocks_may_lack_their_end_marker(size: tuple[int, int]) -> None:
    data = encode(photo((90, 120, 60), size), "JPEG")
    assert np.array_equal(prepared(data.removesuffix(END)), prepared(data))


def _frame(data: bytes, **changes: int) -> bytes:
    """The file with other bytes in its frame header: marker, bits, sampling factors."""
    at = data.index(b"\xff\xc0")
    places = {"marker": at + 1, "bits": at + 4, "luma": at + 11, "chroma": at + 14}
    changed = bytearray(data)
    for name, value in changes.items():
        changed[places[name]] = value
    return bytes(changed)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        pytest.param(_frame(FILES["baseline"], bits=12), "12 bits", id="12 bits"),
        pytest.param(_frame(FILES["baseline"], marker=0xC1, bits=12), "12 bits", id="extended"),
        *(
            pytest.param(_frame(FILES["baseline"], marker=marker), "lossless", id=f"{marker:x}")
            for marker in (0xC3, 0xC5, 0xC6, 0xC7, 0xCB, 0xCD, 0xCE, 0xCF)
        ),
        pytest.param(
            _frame(FILES["baseline"], luma=0x31, chroma=0x21), "fractional", id="sampling"
        ),
        pytest.param(
            FILES["baseline"].replace(b"\x08\x00\x40\x00\x60", b"\x08\x00\x00\x00\x60"),
            "height after",
            id="no height",
        ),
        pytest.param(
            b"\xff\xd8" + segment(0xC0, b"\x08\x00\x08\x00\x08\x02" + b"\x01\x11\x00" * 2),
            "2 components",
            id="two components",
        ),
    ],
)
def test_kinds_that_are_not_decoded_are_called_so(data: bytes, why: str) -> None:
    with pytest.raises(UnsupportedImageFormat, match=why):
        prepared(data)


def test_a_side_that_the_decoder_does_not_take_is_too_large() -> None:
    data = FILES["baseline"].replace(b"\x08\x00\x40\x00\x60", b"\x08\x00\x02\xff\xff")
    with pytest.raises(ImageTooLarge, match="65535 x 2"):
        prepared(data)


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xd8\xff",
        b"\xff\xd8" + END,
        b"\xff\xd8" + segment(0xC0, b"\x08\x00"),
        b"\xff\xd8" + segment(0xDA, b"\x01"),
        b"\xff\xd8" + segment(0xDA),
        b"\xff\xd8\xff\xe0\x00",
        b"\xff\xd8\xff\xe0\xff\xff",
    ],
)
def test_a_file_without_an_image_is_invalid(data: bytes) -> None:
    with pytest.raises(InvalidImage):
        prepared(data)


@pytest.mark.parametrize("piece", [segment(0xFE), segment(0xE1), b"\xff\x01", b"\xff\xd0"])
def test_absurdly_many_segments_are_refused(piece: bytes) -> None:
    start, rest = parts(FILES["baseline"])
    with pytest.raises(InvalidImage, match="segments"):
        prepared(start + piece * 20_001 + rest)


def test_the_decoder_gets_one_image_and_little_else() -> None:
    start, rest = parts(FILES["progressive"])
    full = start + segment(0xE2, bytes(60_000)) * 40 + rest + bytes(100_000)
    assert len(read_jpeg(full).data) <= len(FILES["progressive"])
