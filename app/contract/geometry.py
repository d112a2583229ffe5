"""Which region of a photo becomes the network's input: arithmetic only, no pixels.

`torchvision` follows torchvision's `Resize(int)` and `CenterCrop`, which round to whole pixels: the
longer side's length is cut off, and the crop begins at the nearest pixel. Networks of the field are
trained and evaluated so, and up to half a pixel of the resized photo lies between that and the
exact centre.
"""

import math

from app.contract.manifest import Preprocessing

Size = tuple[int, int]
"""Width and height in pixels."""
Box = tuple[float, float, float, float]
"""Left, top, right and bottom edge in pixels, from the upper left corner of the photo."""


def source_box(size: Size, preprocessing: Preprocessing) -> Box:
    """The region that the crop covers, before it is resized.

    Args:
        size: of the oriented photo.
        preprocessing: the model's contract.

    Returns:
        A region within the oriented photo; its edges need not be whole pixels.
    """
    crop = (preprocessing.crop_width, preprocessing.crop_height)
    if preprocessing.geometry == "exact":
        return _centre(size, crop, min(size) / preprocessing.resize_shorter_side)
    resized = resized_size(size, preprocessing)
    (left, right), (top, bottom) = (_span(*axis) for axis in zip(size, resized, crop, strict=True))
    return left, top, right, bottom


def resized_size(size: Size, preprocessing: Preprocessing) -> Size:
    """What the whole photo would be resized to before the crop, in whole pixels.

    Args:
        size: of the photo, oriented or as it is stored.
        preprocessing: the model's contract.
    """
    side = preprocessing.resize_shorter_side
    if preprocessing.geometry == "squash":
        return side, side
    width, height = size
    longer = int(side * max(size) / min(size))
    return (side, longer) if width <= height else (longer, side)


def _span(length: int, resized: int, crop: int) -> tuple[float, float]:
    """Both edges of the crop along one axis, in pixels of the photo."""
    # Halves are rounded to even, by torchvision as by Python.
    start = round((resized - crop) / 2)
    return start * length / resized, (start + crop) * length / resized


def _centre(size: Size, crop: Size, scale: float) -> Box:
    width, height = crop[0] * scale, crop[1] * scale
    # Where the crop is as large as the photo, rounding could set it a hair outside.
    left, top = max(0.0, (size[0] - width) / 2), max(0.0, (size[1] - height) / 2)
    return left, top, min(left + width, size[0]), min(top + height, size[1])


def side_of(box: Box) -> float:
    """The side of the square that has a box's area, in pixels."""
    left, top, right, bottom = box
    return math.sqrt(max(0.0, (right - left) * (bottom - top)))
