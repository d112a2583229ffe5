"""TIFF files of every depth and layout are seen as they look, or refused."""

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray

from app.contract.errors import ImageTooLarge, InvalidImage, UnsupportedImageFormat
from tests.app.contract.image_files.prepared import difference, prepared
from tests.support.images import encode, landscape
from tests.support.tiff import Entry, directory_after, tiff

PICTURE = landscape((97, 65))
GREY = np.asarray(PICTURE.convert("L"))[..., None]
COLOURS: dict[str, tuple[int, NDArray[np.uint8], list[Entry]]] = {
    "black is zero": (1, GREY, []),
    "white is zero": (0, 255 - GREY, []),
    "RGB": (2, np.asarray(PICTURE), []),
    "RGB and something": (2, np.concatenate([np.asarray(PICTURE), GREY], axis=2), [(338, 3, [0])]),
    "CMYK": (5, np.asarray(PICTURE.convert("CMYK")), []),
    "YCbCr": (6, np.asarray(PICTURE.convert("YCbCr")), [(530, 3, [1, 1])]),
    "grey and alpha": (
        1,
        np.concatenate([GREY, np.full_like(GREY, 255)], axis=2),
        [(338, 3, [2])],
    ),
}
LAYOUTS = [{}, {"rows": 7}, {"tile": 32}]
# Steps of the levels that are left, and a level for colour conversions.
TOLERANCES = {2: 25.0, 4: 6.0}


def scaled(levels: NDArray[np.uint8], bits: int) -> NDArray[np.integer]:
    return (levels.astype(np.uint64) * ((1 << bits) - 1) + 127) // 255


@pytest.mark.parametrize("bits", [2, 4, 6, 8, 10, 12, 14, 16, 32])
@pytest.mark.parametrize("colour", COLOURS)
def test_a_depth_is_right_or_refused(colour: str, bits: int) -> None:
    photometric, levels, more = COLOURS[colour]
    grey = levels.shape[2] < 3
    reference = prepared(encode(PICTURE.convert("L") if grey else PICTURE))
    accepted = 0
    for order, deflate, planar, layout in itertools.product("<>", (0, 1), (0, 1), LAYOUTS):
        data = tiff(
            scaled(levels, bits), bits, photometric,
            order=order, deflate=bool(deflate), planar=bool(planar), more=more, **layout,
        )  # fmt: skip
        try:
            array = prepared(data)
        except UnsupportedImageFormat:
            continue
        accepted += 1
        assert difference(array, reference) < TOLERANCES.get(bits, 1.6)
    if bits == 8:
        assert accepted >= 12


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("photometric", [0, 1])
def test_deep_grey_of_common_kinds_is_accepted(photometric: int, order: str) -> None:
    levels = 255 - GREY if photometric == 0 else GREY
    reference = prepared(encode(PICTURE.convert("L")))
    for bits in (12, 16):
        common = (order, photometric) == ("<", 1) or (
            bits == 16 and (order, photometric) != (">", 0)
        )
        if common and (bits, photometric) != (12, 0):
            data = tiff(scaled(levels, bits), bits, photometric, order=order)
            assert difference(prepared(data), reference) < 1


@pytest.mark.parametrize("photometric", [0, 1])
def test_black_and_white(photometric: int) -> None:
    white = GREY > 100
    reference = prepared(encode(PICTURE.convert("L").point(lambda level: 255 * (level > 100))))
    data = tiff((white ^ (photometric == 0)).astype(np.uint8), 1, photometric)
    assert difference(prepared(data), reference) < 1


@pytest.mark.parametrize("bits", [8, 16, 32])
@pytest.mark.parametrize("sample_format", [2, 3, 4, 5])
def test_signed_and_floating_point_samples_are_refused(sample_format: int, bits: int) -> None:
    data = tiff(scaled(GREY, bits), bits, 1, more=[(339, 3, [sample_format])])
    with pytest.raises(UnsupportedImageFormat, match="signed"):
        prepared(data)


@pytest.mark.parametrize(
    ("photometric", "more"),
    [
        pytest.param(6, [], id="subsampled YCbCr"),
        pytest.param(5, [(332, 3, [2])], id="other inks"),
        pytest.param(8, [], id="Lab"),
        pytest.param(32803, [], id="a sensor's raw pixels"),
    ],
)
def test_colours_that_would_be_guessed_at_are_refused(photometric: int, more: list[Entry]) -> None:
    count = 4 if photometric == 5 else 3
    data = tiff(np.repeat(GREY, count, axis=2), 8, photometric, more=more)
    with pytest.raises(UnsupportedImageFormat):
        prepared(data)


PIXELS = GREY.tobytes()
BASIC: dict[int, Entry] = {
    tag: (tag, kind, [value])
    for tag, kind, value in (
        (256, 4, 97), (257, 4, 65), (258, 3, 8), (259, 3, 1), (262, 3, 1),
        (273, 4, 8), (277, 3, 1), (278, 4, 65), (279, 4, len(PIXELS)),
    )
}  # fmt: skip


def entries(*changes: Entry, without: int = 0) -> list[Entry]:
    changed = {entry[0]: entry for entry in changes}
    return [changed.get(tag, entry) for tag, entry in BASIC.items() if tag != without] + [
        entry for entry in changes if entry[0] not in BASIC
    ]


def test_entries_that_nobody_needs_and_their_order_change_nothing() -> None:
    reference = prepared(directory_after(PIXELS, entries()))
    more: list[Entry] = [
        (700, 4, [1] * 50_000),
        (34675, 3, [0] * 9),
        (700, 3, [2]),
        (65000, 4, [9]),
    ]
    data = directory_after(PIXELS, [*more, *reversed(entries())])
    assert np.array_equal(prepared(data), reference)


@pytest.mark.parametrize("tag", BASIC)
def test_an_entry_that_stands_there_twice_is_refused(tag: int) -> None:
    """Pillow and libtiff need not agree on which of the two counts."""
    with pytest.raises(InvalidImage, match="twice"):
        prepared(directory_after(PIXELS, [*entries(), (tag, 4, [3])]))


@pytest.mark.parametrize("tag", [256, 257, 273])
def test_without_a_size_or_pixels_it_is_invalid(tag: int) -> None:
    with pytest.raises(InvalidImage):
        prepared(directory_after(PIXELS, entries(without=tag)))


@pytest.mark.parametrize("tag", [256, 257, 259, 262, 278])
def test_two_values_in_place_of_one_are_refused(tag: int) -> None:
    with pytest.raises((InvalidImage, UnsupportedImageFormat)):
        prepared(directory_after(PIXELS, entries((tag, 3, [1, 1]))))


def test_an_orientation_that_is_none_is_ignored() -> None:
    reference = prepared(directory_after(PIXELS, entries()))
    assert np.array_equal(prepared(directory_after(PIXELS, entries((274, 3, [77])))), reference)


@pytest.mark.parametrize("compression", [2, 3, 4, 6, 34661, 34712, 50000, 50001, 9999])
def test_compressions_that_are_not_accepted_are_called_so(compression: int) -> None:
    with pytest.raises(UnsupportedImageFormat, match=f"compression {compression}"):
        prepared(directory_after(PIXELS, entries((259, 3, [compression]))))


def tiled(width: int, height: int, side: tuple[int, int], tiles: int) -> bytes:
    layout: list[Entry] = [
        (256, 4, [width]), (257, 4, [height]), (322, 4, [side[0]]), (323, 4, [side[1]]),
        (324, 4, [8] * tiles), (325, 4, [16] * tiles),
    ]  # fmt: skip
    rest = [entry for tag, entry in BASIC.items() if tag not in (256, 257, 273, 278, 279)]
    return directory_after(PIXELS, sorted([*layout, *rest]))


def test_tiles_may_not_be_far_larger_than_the_picture() -> None:
    with pytest.raises(InvalidImage, match="tile"):
        prepared(tiled(100, 100, (30_000, 30_000), 1))
    # Each tile may be as large as a picture, but a thousand of them may not.
    with pytest.raises(ImageTooLarge, match="tiles"):
        prepared(tiled(16_000, 1, (16, 60_000), 1000))


def test_strips_beside_tiles_are_refused() -> None:
    data = directory_after(PIXELS, sorted([*entries(), (324, 4, [8]), (322, 3, [97])]))
    with pytest.raises(InvalidImage, match="strips and tiles"):
        prepared(data)


def test_more_strips_than_a_picture_has_are_refused() -> None:
    with pytest.raises(InvalidImage, match="at most 16384"):
        prepared(directory_after(PIXELS, entries((273, 4, [8] * 16_385))))
