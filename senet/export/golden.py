"""Drawn images whose logits are known: the service's self-test before it is ready.

They are drawn and not photographed, so that a model may be passed on without anyone's photo.
"""

import numpy as np
from numpy.typing import NDArray

from app.repository.manifest import Input


def draw(size: Input) -> NDArray[np.uint8]:
    """Eight images that differ in colour, frequency and layout; the same at every call.

    Returns:
        uint8 [8, height, width, 3].
    """
    rows = np.linspace(0, 1, size.height)[:, None]
    columns = np.linspace(0, 1, size.width)[None, :]
    generator = np.random.default_rng(seed=1)
    coarse = generator.random((8, 8, 3))
    return np.stack(
        [
            _paint(rows + 0 * columns, columns + 0 * rows, 1 - rows + 0 * columns),
            _disc(rows, columns, inside=(0.9, 0.2, 0.1), outside=(0.2, 0.5, 0.9)),
            _disc(rows, columns, inside=(0.1, 0.1, 0.1), outside=(0.8, 0.9, 0.6)),
            _paint(*[_checks(rows, columns, fields) for fields in (4, 8, 16)]),
            _paint(*[_waves(rows, columns, angle) for angle in (0.3, 1.2, 2.2)]),
            _paint(*[_rings(rows, columns, count) for count in (3, 7, 12)]),
            _bytes(_enlarge(coarse, size)),
            _bytes(generator.random((size.height, size.width, 3))),
        ]
    )


def _checks(
    rows: NDArray[np.float64], columns: NDArray[np.float64], fields: int
) -> NDArray[np.float64]:
    return (np.floor(rows * fields) + np.floor(columns * fields)) % 2


def _waves(
    rows: NDArray[np.float64], columns: NDArray[np.float64], angle: float
) -> NDArray[np.float64]:
    return 0.5 + 0.5 * np.sin(40 * (np.sin(angle) * rows + np.cos(angle) * columns))


def _rings(
    rows: NDArray[np.float64], columns: NDArray[np.float64], count: int
) -> NDArray[np.float64]:
    return 0.5 + 0.5 * np.cos(2 * np.pi * count * np.hypot(rows - 0.5, columns - 0.5))


def _disc(
    rows: NDArray[np.float64],
    columns: NDArray[np.float64],
    *,
    inside: tuple[float, float, float],
    outside: tuple[float, float, float],
) -> NDArray[np.uint8]:
    within = (np.hypot(rows - 0.5, columns - 0.5) < 0.35)[..., None]
    return _bytes(np.where(within, inside, outside))


def _enlarge(image: NDArray[np.float64], size: Input) -> NDArray[np.float64]:
    rows = np.arange(size.height) * image.shape[0] // size.height
    columns = np.arange(size.width) * image.shape[1] // size.width
    return image[rows][:, columns]


def _paint(*channels: NDArray[np.float64]) -> NDArray[np.uint8]:
    return _bytes(np.stack(channels, axis=-1))


def _bytes(image: NDArray[np.float64]) -> NDArray[np.uint8]:
    return np.round(image * 255).astype(np.uint8)
