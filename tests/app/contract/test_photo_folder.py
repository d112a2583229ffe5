"""Photos of a folder, found in a stable order and decoded as the model sees them."""

from pathlib import Path

import numpy as np
import pytest

from app.contract.errors import ConfigurationError
from app.contract.photo_folder import photo_files, sample
from tests.app.contract.image_files.prepared import PLAIN
from tests.support.images import encode, photo


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """40 photos in two folders, each of a level of its own, and files that are none."""
    for number in range(40):
        path = tmp_path / f"{number % 2}" / f"{number:02}.PNG"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(encode(photo((number * 5, 0, 0))))
    for name in ("notes.txt", ".hidden.png"):
        (tmp_path / name).write_text("none")
    (tmp_path / "folder.jpg").mkdir()
    return tmp_path


def test_every_photo_is_found_wherever_it_lies(folder: Path) -> None:
    files = photo_files("--photos", folder)
    assert len(files) == 40
    assert list(files) == sorted(files)


def test_a_sample_is_spread_over_all_of_them(folder: Path) -> None:
    files = photo_files("--photos", folder)
    images = sample("--photos", files, PLAIN)
    assert images.shape == (28, 32, 36, 3)
    assert len(np.unique(images[..., 0].mean(axis=(1, 2)).round())) == 28
    assert len(sample("--photos", files[:3], PLAIN)) == 3


def test_without_a_photo_the_option_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"^--photos: no photo below"):
        photo_files("--photos", tmp_path)


def test_a_photo_that_cannot_be_decoded_is_named(folder: Path) -> None:
    broken = folder / "0" / "00.PNG"
    broken.write_bytes(b"text")
    with pytest.raises(ConfigurationError, match=str(broken)):
        sample("--photos", photo_files("--photos", folder), PLAIN)
