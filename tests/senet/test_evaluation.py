"""Accuracy is counted right, on photos prepared exactly as the service does."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from app.contract.errors import ConfigurationError
from app.contract.manifest import Label, Preprocessing
from app.contract.preprocess import preprocess
from senet.evaluation import Evaluation, evaluate, list_photos, load_photos

LABELS = tuple(Label(index=index, id=name, name=name) for index, name in enumerate("ba"))
PREPROCESSING = Preprocessing(resize_shorter_side=10, crop_height=8, crop_width=8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Class a: photos of brightness 100 and 120; class b: of brightness 200."""
    for name, brightness in (("a/2.png", 120), ("a/1.png", 100), ("b/1.jpg", 200)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("L", (16, 12), brightness).save(tmp_path / name)
    return tmp_path


def brightness(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """A classifier that takes what is brighter than 110 for class b (index 0)."""
    mean = images.mean((1, 2, 3), dtype=np.float32)
    return np.stack([mean - 110, 110 - mean], axis=1)


def test_photos_are_listed_in_the_order_of_labels_and_names(folder: Path) -> None:
    listing = list_photos("--data", folder, LABELS, every_class=True)
    assert listing.photos == (
        (folder / "b" / "1.jpg", 0),
        (folder / "a" / "1.png", 1),
        (folder / "a" / "2.png", 1),
    )
    assert listing.notes == ()


def test_photos_are_prepared_by_the_services_preprocessing(folder: Path) -> None:
    photos = load_photos("--data", folder, LABELS, PREPROCESSING)

    for file, image in zip(photos.files, photos.images, strict=True):
        expected = preprocess(file.read_bytes(), PREPROCESSING, max_pixels=10_000)
        np.testing.assert_array_equal(image, expected)


@pytest.mark.parametrize("batch_size", [1, 2, 3, 8])
def test_accuracy_counts_the_photos_classified_right(folder: Path, batch_size: int) -> None:
    result = evaluate(brightness, load_photos("--data", folder, LABELS, PREPROCESSING), batch_size)

    assert result.count == 3
    assert result.predictions.tolist() == [0, 1, 0]
    assert result.top1 == pytest.approx(2 / 3)
    assert result.top5 == 1


def test_top5_counts_the_class_among_the_five_largest() -> None:
    logits = np.tile(np.arange(8, dtype=np.float32), (3, 1))
    result = Evaluation((Path("a"), Path("b"), Path("c")), np.array([7, 3, 2]), logits)

    assert result.top1 == pytest.approx(1 / 3)
    assert result.top5 == pytest.approx(2 / 3)


def test_an_unknown_class_is_refused(folder: Path) -> None:
    (folder / "cat").mkdir()

    with pytest.raises(ConfigurationError, match=r"^--data: .*unknown class 'cat'"):
        list_photos("--data", folder, LABELS)


@pytest.mark.parametrize("folder_too", [False, True])
def test_a_class_without_photos_is_counted_or_refused(folder: Path, folder_too: bool) -> None:
    (folder / "b" / "1.jpg").unlink()
    if folder_too:
        (folder / "b").rmdir()

    listing = list_photos("--data", folder, LABELS)
    assert [index for _, index in listing.photos] == [1, 1]
    assert listing.notes == ("1 of 2 classes have no photos.",)
    with pytest.raises(ConfigurationError, match=r"^--data: .*b holds no photo"):
        list_photos("--data", folder, LABELS, every_class=True)


def test_a_folder_without_photos_is_refused(folder: Path) -> None:
    for path in folder.glob("*/*"):
        path.unlink()
    with pytest.raises(ConfigurationError, match="holds no photo of any class"):
        list_photos("--data", folder, LABELS)


def test_files_that_are_no_photos_are_named_and_skipped(folder: Path) -> None:
    strays = [folder / name for name in ("readme.md", "a/.DS_Store", "a/._1.png", "b/Thumbs.db")]
    for path in strays:
        path.write_bytes(b"not a photo")
    (folder / ".ipynb_checkpoints").mkdir()
    listing = list_photos("--data", folder, LABELS, every_class=True)
    assert len(listing.photos) == 3
    assert set(listing.strays) == set(strays)
    assert all(str(path) in listing.notes[0] for path in strays)


def test_a_missing_folder_is_refused(folder: Path) -> None:
    with pytest.raises(ConfigurationError, match="missing is not a folder"):
        list_photos("--data", folder / "missing", LABELS)


def test_a_corrupt_photo_is_named(folder: Path) -> None:
    (folder / "a" / "2.png").write_bytes(b"\x89PNG\r\n\x1a\n and nothing more")

    with pytest.raises(ConfigurationError, match=r"a/2\.png: truncated or corrupt PNG"):
        load_photos("--data", folder, LABELS, PREPROCESSING)
