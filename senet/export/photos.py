"""Photos on disk, read through the service's own preprocessing."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from app.errors import ConfigurationError, ImageError
from app.repository.manifest import Label, Preprocessing
from app.serving.preprocess import preprocess

_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif"}
_MAX_PIXELS = 100_000_000


@dataclass(frozen=True)
class Photos:
    """Photos and, where they lie in class folders, their classes.

    Attributes:
        option: the command-line option that named them, for messages.
        directory: where they lie.
        paths: the photos, in a stable order.
        classes: the index of each photo's class, or None if they are unlabelled.
    """

    option: str
    directory: Path
    paths: tuple[Path, ...]
    classes: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.paths)

    def spread(self, count: int) -> "Photos":
        """At most `count` of them, evenly spaced, so that every class is met."""
        chosen = np.unique(np.linspace(0, len(self) - 1, min(count, len(self))).astype(int))
        return self.take(chosen)

    def take(self, indices: NDArray[np.int64]) -> "Photos":
        """Those at `indices`."""
        classes = None if self.classes is None else self.classes[indices]
        paths = tuple(self.paths[index] for index in indices)
        return Photos(self.option, self.directory, paths, classes)


def unlabelled(option: str, directory: Path) -> Photos:
    """Every photo below `directory`.

    Raises:
        ConfigurationError: if there is none.
    """
    paths = tuple(_images_below(directory))
    if not paths:
        raise ConfigurationError(option, f"no photo below {directory}", "name a folder of photos")
    return Photos(option, directory, paths)


def labelled(option: str, directory: Path, labels: Sequence[Label]) -> Photos:
    """The photos of `directory`'s class folders, each named by a label's `id`.

    Raises:
        ConfigurationError: if a folder is no label's, or there is no photo.
    """
    index_of = {label.id: label.index for label in labels}
    folders = (
        sorted(path for path in directory.iterdir() if path.is_dir()) if directory.is_dir() else []
    )
    unknown = [folder.name for folder in folders if folder.name not in index_of]
    if unknown:
        raise ConfigurationError(
            option,
            f"{directory} has folders of unknown classes: {', '.join(unknown[:5])}"
            + (f" and {len(unknown) - 5} more" if len(unknown) > 5 else ""),
            "name each folder by the id of a label, or give the labels with --labels",
        )
    found = [(path, index_of[folder.name]) for folder in folders for path in _images_below(folder)]
    if not found:
        raise ConfigurationError(
            option, f"no photo in class folders below {directory}", "name a folder of class folders"
        )
    paths, classes = zip(*found, strict=True)
    return Photos(option, directory, paths, np.array(classes, dtype=np.int64))


def read(
    photos: Photos, preprocessing: Preprocessing, *, batch_size: int, progress: str | None = None
) -> Iterator[NDArray[np.uint8]]:
    """Batches of uint8 [<= batch_size, height, width, 3], in the photos' order.

    Args:
        progress: the title of a progress bar; None shows none.

    Raises:
        ConfigurationError: naming the first photo that cannot be decoded.
    """

    def load(path: Path) -> NDArray[np.uint8]:
        try:
            return preprocess(path.read_bytes(), preprocessing, max_pixels=_MAX_PIXELS)
        except (ImageError, OSError) as error:
            raise ConfigurationError(
                photos.option, f"{path} cannot be read ({error})", "repair or remove the photo"
            ) from error

    starts = range(0, len(photos), batch_size)
    with (
        ThreadPoolExecutor(max_workers=4) as pool,
        tqdm(total=len(photos), desc=progress, unit="photo", disable=progress is None) as bar,
    ):
        for start in starts:
            batch = np.stack(list(pool.map(load, photos.paths[start : start + batch_size])))
            yield batch
            bar.update(len(batch))


def _images_below(directory: Path) -> list[Path]:
    return sorted(
        path for path in directory.rglob("*") if path.suffix.lower() in _SUFFIXES and path.is_file()
    )
