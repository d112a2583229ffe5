"""Drawn photos in class folders: each class has its own colour, each photo its own bars."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

COLOURS = {"blue": (40, 60, 200), "green": (40, 180, 60), "red": (200, 50, 40)}


def draw(path: Path, colour: tuple[int, int, int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    image = np.full((40, 52, 3), colour, dtype=np.uint8)
    image[:, rng.integers(52, size=6)] = rng.integers(256, size=3)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder with six training and two validation photos of each of three classes."""
    folder = tmp_path / "drawn"
    for number in range(8):
        part = "train" if number < 6 else "val"
        for index, (name, colour) in enumerate(COLOURS.items()):
            draw(folder / part / name / f"{number}.png", colour, 10 * index + number)
    return folder
