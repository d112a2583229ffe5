"""Images gathered into one array are those that were given, however they lie in memory."""

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from app.engines.gathering import gather

Image = NDArray[np.uint8]
SHAPE = (4, 4, 3)
BYTES = 4 * 4 * 3


def block(count: int) -> list[Image]:
    """Images that lie one after another, as a process returns them."""
    data = np.random.default_rng(count).integers(0, 256, count * BYTES, dtype=np.uint8).tobytes()
    whole = np.frombuffer(data, np.uint8)
    return [whole[at : at + BYTES].reshape(SHAPE) for at in range(0, len(whole), BYTES)]


def turned(images: Sequence[Image]) -> list[Image]:
    return [image.transpose(1, 0, 2) for image in images]


@pytest.mark.parametrize(
    "images",
    [
        block(1),
        block(4),
        block(4) + block(3),
        block(4)[::-1],
        block(4)[::2],
        [*block(3), block(2)[1], *block(2)],
        [image.copy() for image in block(3)],
        list(np.stack(block(3))),
        list(np.stack(block(6))[::2]),
        turned(block(3)),
        [*block(2), *turned(block(4)[2:]), block(4)[3]],
        [image[:, ::-1] for image in block(3)],
        block(3) * 2,
    ],
)
def test_it_is_what_numpy_stacks(images: list[Image]) -> None:
    out = np.full((len(images), *SHAPE), 255, np.uint8)
    gather(images, out)
    np.testing.assert_array_equal(out, np.stack(images))


def test_images_of_a_larger_picture_are_not_taken_for_a_block() -> None:
    picture = np.arange(8 * 4 * 3, dtype=np.uint8).reshape(8, 4, 3)
    parts = [picture[at : at + 4] for at in (0, 2, 4)]
    out = np.empty((3, *SHAPE), np.uint8)
    gather(parts, out)
    np.testing.assert_array_equal(out, np.stack(parts))


def test_an_image_of_another_shape_is_refused() -> None:
    images = [*block(2), np.zeros((3, 4, 3), np.uint8)]
    with pytest.raises(ValueError, match="broadcast"):
        gather(images, np.empty((3, *SHAPE), np.uint8))
