"""Labels and training photos from folders."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app.contract.errors import ConfigurationError
from app.contract.manifest import Label, Preprocessing
from app.contract.preprocess import preprocess
from senet.training.photos import class_labels, load_training_photos


def test_folders_of_programs_are_no_classes(data: Path) -> None:
    (data / "train" / ".ipynb_checkpoints").mkdir()
    assert [label.id for label in class_labels(data / "train")] == ["blue", "green", "red"]


def test_folder_names_are_the_classes_in_alphabetical_order(data: Path) -> None:
    labels = class_labels(data / "train")

    assert [(label.index, label.id, label.name) for label in labels] == [
        (0, "blue", "blue"),
        (1, "green", "green"),
        (2, "red", "red"),
    ]


def test_a_file_gives_order_and_readable_names(data: Path, tmp_path: Path) -> None:
    classes = tmp_path / "classes.txt"
    classes.write_text("0 red deep red\n1 blue sky blue\n2 green grass\n")

    labels = class_labels(data / "train", classes)
    photos = load_training_photos(data / "train", labels, 20)

    assert [label.name for label in labels] == ["deep red", "sky blue", "grass"]
    assert photos.targets == (0,) * 6 + (1,) * 6 + (2,) * 6
    assert photos.images[0][0, 0, 0] > photos.images[0][0, 0, 2]  # red before blue


def test_a_malformed_file_is_refused_by_the_name_of_its_option(data: Path, tmp_path: Path) -> None:
    classes = tmp_path / "classes.txt"
    classes.write_text("0 red\n")

    with pytest.raises(ConfigurationError, match=r"^--classes: line 1 of .*classes.txt is not"):
        class_labels(data / "train", classes)


def test_a_folder_without_classes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"--data: .*holds no class folder"):
        class_labels(tmp_path)
    with pytest.raises(ConfigurationError, match=r"--data: .*holds no class folder"):
        class_labels(tmp_path / "missing")


def test_photos_are_resized_by_their_shorter_side_and_turned_upright(tmp_path: Path) -> None:
    folder = tmp_path / "only"
    folder.mkdir()
    Image.new("L", (80, 40), 90).save(folder / "a.png")
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter
    Image.new("RGB", (60, 30), (200, 0, 0)).save(folder / "b.jpg", exif=exif)

    photos = load_training_photos(tmp_path, (Label(index=0, id="only", name="only"),), 20)

    assert [image.shape for image in photos.images] == [(20, 40, 3), (40, 20, 3)]
    assert photos.images[0][0, 0].tolist() == [90, 90, 90]


@pytest.mark.parametrize(
    ("mode", "colour"),
    [
        ("RGB", (200, 100, 50)), ("L", 90), ("1", 1), ("P", 7), ("CMYK", (10, 200, 30, 5)),
        ("I;16", 40000), ("LA", (30, 100)), ("RGBA", (200, 100, 50, 60)),
    ],
)  # fmt: skip
def test_colours_are_those_that_the_service_sees(
    tmp_path: Path, mode: str, colour: float | tuple[int, ...]
) -> None:
    file = tmp_path / "only" / ("photo.tif" if mode == "CMYK" else "photo.png")
    file.parent.mkdir()
    Image.new(mode, (16, 12), colour).save(file)
    preprocessing = Preprocessing(resize_shorter_side=12, crop_height=12, crop_width=12)

    photos = load_training_photos(tmp_path, (Label(index=0, id="only", name="only"),), 12)

    served = preprocess(file.read_bytes(), preprocessing, max_pixels=1000)
    np.testing.assert_allclose(photos.images[0][0, 0], served[0, 0], atol=1)


def test_a_corrupt_photo_is_named(data: Path) -> None:
    whole = (data / "train" / "red" / "0.png").read_bytes()
    (data / "train" / "red" / "0.png").write_bytes(whole[: len(whole) // 2])

    with pytest.raises(ConfigurationError, match=r"--data: .*red/0.png is not a readable photo"):
        load_training_photos(data / "train", class_labels(data / "train"), 20)
