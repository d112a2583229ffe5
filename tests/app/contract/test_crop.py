"""The crop that an answer tells is the region that the network saw."""

import numpy as np
import pytest
from PIL import Image

from app.contract.manifest import Preprocessing
from app.contract.preprocess import network_input
from tests.support.images import encode, encode_oriented

_MAX_PIXELS = 8_000_000
_SIZES = [(96, 64), (64, 96), (301, 227), (1200, 901), (901, 1203), (24, 20)]


def compass(size: tuple[int, int]) -> Image.Image:
    """Red grows from left to right and green from top to bottom, both by 255 over the whole."""
    x, y = (np.linspace(0, 255, 2 * count + 1)[1::2] for count in size)
    red, green = np.broadcast_arrays(x[None, :], y[:, None])
    pixels = np.stack([red, green, np.full_like(red, 128)], axis=2)
    return Image.fromarray(np.round(pixels).astype(np.uint8))


def preprocessing(geometry: str) -> Preprocessing:
    return Preprocessing.model_validate(
        {"geometry": geometry, "resize_shorter_side": 40, "crop_height": 32, "crop_width": 36}
    )


@pytest.mark.parametrize("geometry", ["exact", "torchvision", "squash"])
@pytest.mark.parametrize("size", _SIZES)
@pytest.mark.parametrize("orientation", [1, 3, 6, 7])
def test_the_pixels_are_those_of_the_crop(
    geometry: str, size: tuple[int, int], orientation: int
) -> None:
    data = encode_oriented(compass(size), orientation)
    seen = network_input(data, preprocessing(geometry), max_pixels=_MAX_PIXELS)

    left, top, right, bottom = seen.crop
    assert 0 <= left < right <= size[0]
    assert 0 <= top < bottom <= size[1]
    means = seen.pixels.reshape(-1, 3).mean(axis=0)
    centre = ((left + right) / 2 / size[0], (top + bottom) / 2 / size[1])
    np.testing.assert_allclose(means[:2] / 255, centre, atol=0.012)
    ends = (seen.pixels[:, [0, -1], 0].mean(axis=0), seen.pixels[[0, -1], :, 1].mean(axis=1))
    wanted = np.array([(left / size[0], right / size[0]), (top / size[1], bottom / size[1])])
    np.testing.assert_allclose(np.array(ends) / 255, wanted, atol=0.03)


def test_a_square_crop_of_a_wide_photo_is_its_middle() -> None:
    contract = Preprocessing(
        geometry="torchvision", resize_shorter_side=160, crop_height=160, crop_width=160
    )
    seen = network_input(encode(compass((480, 360))), contract, max_pixels=_MAX_PIXELS)
    # 213 columns once it is resized, of which the crop begins at the 26th.
    assert seen.crop == (26 * 480 / 213, 0, 186 * 480 / 213, 360)


def test_a_photo_that_is_not_turned_has_its_crop_as_it_is_stored() -> None:
    contract = preprocessing("torchvision").model_copy(update={"exif_transpose": False})
    data = encode_oriented(compass((301, 227)), 6)
    crop = network_input(data, contract, max_pixels=_MAX_PIXELS).crop
    stored = network_input(encode(compass((227, 301))), contract, max_pixels=_MAX_PIXELS).crop
    assert crop == stored
