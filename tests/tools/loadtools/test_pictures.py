from pathlib import Path

import pytest
from PIL import Image

from app.contract.errors import ConfigurationError
from tools.loadtools import pictures

SMALL = (160, 120)


def test_a_drawn_photo_has_the_detail_of_a_natural_one(tmp_path: Path) -> None:
    files = pictures.drawn(tmp_path, pictures.SMALL)

    bits = [8 * file.stat().st_size / (500 * 375) for file in files]
    # Of ImageNet's photos, three quarters of those in original size have 2 to 6.5 bits a pixel.
    assert all(4 < each < 7 for each in bits)


def test_drawn_photos_differ_and_are_drawn_once(tmp_path: Path) -> None:
    files = pictures.drawn(tmp_path, SMALL)
    contents = [file.read_bytes() for file in files]

    assert len(set(contents)) == len(files) > 1
    files[0].write_bytes(b"kept")
    assert pictures.drawn(tmp_path, SMALL)[0].read_bytes() == b"kept"


def test_the_same_seed_draws_the_same() -> None:
    assert pictures.draw(SMALL, 3).tobytes() == pictures.draw(SMALL, 3).tobytes()


def test_given_photos_are_told_apart_by_their_size(tmp_path: Path) -> None:
    for index in range(10):
        Image.new("RGB", SMALL).save(tmp_path / f"{index}.jpg")
    Image.new("L", (4000, 2500)).save(tmp_path / "large.jpeg")

    usual, large = pictures.given(tmp_path)

    assert len(usual) == 8
    assert [file.name for file in large] == ["large.jpeg"]


def test_a_folder_without_photos_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="--photos: no JPEG photo below"):
        pictures.given(tmp_path)


def test_a_file_that_is_no_photo_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"text")

    with pytest.raises(ConfigurationError, match=r"--photos: .*a\.jpg is not a picture"):
        pictures.given(tmp_path)


def test_sizes_are_told(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes((pictures.drawn(tmp_path / "b", SMALL)[0]).read_bytes())

    assert pictures.describe([tmp_path / "a.jpg"]).startswith("1 JPEG, 160x120, ")
