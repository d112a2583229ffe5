import numpy as np

from app.contract.manifest import Input
from senet.export.golden import draw


def test_golden_images_are_the_same_at_every_call_and_differ_from_each_other() -> None:
    size = Input(height=48, width=64)
    images = draw(size)
    assert images.shape == (8, 48, 64, 3)
    assert images.dtype == np.uint8
    np.testing.assert_array_equal(images, draw(size))
    assert len({image.tobytes() for image in images}) == 8
    assert images.std(axis=(1, 2, 3)).min() > 10
