"""The region of a photo that becomes the network's input."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.contract.geometry import Box, resized_size, source_box
from app.contract.manifest import Geometry, Preprocessing


def preprocessing(
    side: int, height: int, width: int, geometry: Geometry = "torchvision"
) -> Preprocessing:
    return Preprocessing(
        geometry=geometry, resize_shorter_side=side, crop_height=height, crop_width=width
    )


@pytest.mark.parametrize(
    ("size", "resized"),
    [
        ((500, 375), (341, 256)),  # 341.33
        ((375, 500), (256, 341)),
        ((500, 333), (384, 256)),  # 384.38
        ((499, 333), (383, 256)),  # 383.6, cut off and not rounded
        ((300, 300), (256, 256)),
        ((100, 50), (512, 256)),
        ((1, 300), (256, 76_800)),
    ],
)
def test_the_longer_side_is_cut_to_whole_pixels(
    size: tuple[int, int], resized: tuple[int, int]
) -> None:
    assert resized_size(size, preprocessing(256, 224, 224)) == resized


@pytest.mark.parametrize(
    ("size", "box"),
    [
        # Resized to 12 x 10: margins of 4 and 2 pixels, half of them on either side.
        ((24, 20), (4, 2, 20, 18)),
        # To 13 x 10: a margin of 5, of which 2.5 are rounded to 2.
        ((26, 20), (4, 2, 20, 18)),
        # To 15 x 10: a margin of 7, of which 3.5 are rounded to 4.
        ((30, 20), (8, 2, 24, 18)),
        ((20, 30), (2, 8, 18, 24)),
    ],
)
def test_the_crop_begins_at_a_whole_pixel_of_the_resized_photo(
    size: tuple[int, int], box: Box
) -> None:
    assert source_box(size, preprocessing(10, 8, 8)) == box


def test_exact_boxes_have_the_same_margin_on_both_sides() -> None:
    left, top, right, bottom = source_box((30, 20), preprocessing(10, 8, 8, "exact"))
    assert (left, top, right, bottom) == (7, 2, 23, 18)


def test_squashing_takes_the_whole_photo_but_for_the_crops_margin() -> None:
    assert source_box((300, 70), preprocessing(8, 8, 8, "squash")) == (0, 0, 300, 70)
    assert source_box((300, 70), preprocessing(10, 8, 8, "squash")) == (30, 7, 270, 63)


@given(
    size=st.tuples(st.integers(1, 70_000), st.integers(1, 70_000)),
    side=st.integers(1, 600),
    crop=st.tuples(st.integers(1, 600), st.integers(1, 600)),
    geometry=st.sampled_from(["exact", "torchvision", "squash"]),
)
def test_every_box_lies_within_its_photo(
    size: tuple[int, int], side: int, crop: tuple[int, int], geometry: Geometry
) -> None:
    height, width = (min(length, side) for length in crop)
    left, top, right, bottom = source_box(size, preprocessing(side, height, width, geometry))
    assert 0 <= left < right <= size[0]
    assert 0 <= top < bottom <= size[1]
