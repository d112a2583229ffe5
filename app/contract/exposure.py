"""How bright and how rich in contrast photos are, as the network sees them."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

# Pixels that are looked at along the shorter side: what is read of them is an average.
_PIXELS = 20
_PIXEL = np.dtype("V3")


def exposures(images: Sequence[NDArray[np.uint8]]) -> NDArray[np.float64]:
    """Looks at a grid of each image's pixels.

    Args:
        images: of one size, each uint8 [height, width, 3].

    Returns:
        float64 [n, 4], in grey levels of 0 to 255: the means of red, green and blue, and the
        standard deviation over all levels, which tells a dark, foggy or covered photo.
    """
    height, width = images[0].shape[:2]
    step = max(1, min(height, width) // _PIXELS)
    first = step // 2
    # As whole pixels, there are too few of them for numpy to give the interpreter's lock away, for
    # which a thread that works beside others would have to wait.
    pixels = [np.ascontiguousarray(image).view(_PIXEL) for image in images]
    seen = [image[first::step, first::step].tobytes() for image in pixels]
    levels = np.frombuffer(b"".join(seen), np.uint8).reshape(len(images), -1, 3)
    levels = levels.astype(np.float64)
    count = levels.shape[1]
    means = np.ones(count) @ levels / count
    flat = levels.reshape(len(images), -1)
    squares = np.vecdot(flat, flat) / (3 * count)
    contrast = np.sqrt(np.maximum(0.0, squares - means.mean(axis=1) ** 2))
    return np.column_stack([means, contrast])
