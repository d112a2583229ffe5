"""Photos on disk, decoded batch by batch through the service's own preprocessing."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from app.contract import photo_folder
from app.contract.errors import ConfigurationError
from app.contract.manifest import Label, Preprocessing
from app.contract.preprocess import NetworkInput
from senet.evaluation import list_photos


@dataclass(frozen=True)
class Photos:
    """Photos and, where they lie in class folders, their classes.

    Attributes:
        option: the command-line option that named them, for messages.
        directory: where they lie.
        files: the photos, in a stable order; ordered by class if they have any.
        targets: int64 [n], the index of each photo's class; empty if they are unlabelled.
        notes: what the directory lacks or holds besides, in whole sentences.
    """

    option: str
    directory: Path
    files: tuple[Path, ...]
    targets: NDArray[np.int64]
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.files)

    def spread(self, count: int) -> "Photos":
        """At most `count` of them, evenly spaced, so that many classes are met."""
        return self.chosen(
            np.unique(np.linspace(0, len(self) - 1, min(count, len(self))).astype(int))
        )

    def chosen(self, chosen: NDArray[np.int64] | NDArray[np.bool_]) -> "Photos":
        """Some of them: by their indices, or whether each is one."""
        chosen = np.arange(len(self))[chosen]
        files = tuple(self.files[index] for index in chosen)
        targets = self.targets[chosen] if self.targets.size else self.targets
        return Photos(self.option, self.directory, files, targets, self.notes)


def unlabelled(option: str, directory: Path) -> Photos:
    """Every photo below `directory`.

    Raises:
        ConfigurationError: if there is none.
    """
    files = photo_folder.photo_files(option, directory)
    return Photos(option, directory, files, np.empty(0, dtype=np.int64))


def labelled(option: str, directory: Path, labels: Sequence[Label]) -> Photos:
    """The photos of `directory`'s class folders, each named by a label's `id`.

    Raises:
        ConfigurationError: if a folder is not a label's, or there is no photo.
    """
    listing = list_photos(option, directory, labels)
    files, targets = zip(*listing.photos, strict=True)
    return Photos(option, directory, files, np.array(targets, dtype=np.int64), listing.notes)


def listed(option: str, file: Path, photos: Photos) -> NDArray[np.bool_]:
    """Which of `photos` a text file lists, one `<class id>/<file name>` a line: bool [n].

    Raises:
        ConfigurationError: if the file cannot be read, lists a photo that is not among them, or
            lists all of them or none.
    """
    try:
        names = set(file.read_text(encoding="utf-8").split("\n")) - {""}
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(option, f"{file} cannot be read", "give a text file") from error
    own = [f"{path.parent.name}/{path.name}" for path in photos.files]
    if unknown := sorted(names - set(own)):
        raise ConfigurationError(
            option, f"{file} lists {unknown[0]!r}, which is not in {photos.directory}", "correct it"
        )
    chosen = np.array([name in names for name in own])
    if chosen.all() or not chosen.any():
        raise ConfigurationError(
            option, f"{file} lists all of the photos or none", "list about half of them"
        )
    return chosen


def sample(photos: Photos, preprocessing: Preprocessing) -> NDArray[np.uint8]:
    """At most 28 of `photos`, evenly spaced: uint8 [n, height, width, 3].

    Raises:
        ConfigurationError: as `read`.
    """
    return photo_folder.sample(photos.option, photos.files, preprocessing)


def read(
    photos: Photos, preprocessing: Preprocessing, *, batch_size: int, progress: str | None = None
) -> Iterator[NDArray[np.uint8]]:
    """Decodes `photos` in their order, never holding more than a batch.

    Args:
        photos: what to read.
        preprocessing: the model's contract.
        batch_size: photos a batch; the last may have fewer.
        progress: the title of a progress bar; None shows none.

    Yields:
        uint8 [batch_size, height, width, 3].

    Raises:
        ConfigurationError: naming the first photo that cannot be decoded.
    """
    for batch in read_inputs(photos, preprocessing, batch_size=batch_size, progress=progress):
        yield np.stack([own.pixels for own in batch])


def read_inputs(
    photos: Photos, preprocessing: Preprocessing, *, batch_size: int, progress: str | None = None
) -> Iterator[list[NetworkInput]]:
    """As `read`, with the region of each photo that the network sees."""

    def load(path: Path) -> NetworkInput:
        return photo_folder.load_input(photos.option, path, preprocessing)

    # None leaves it to tqdm, which shows a bar on a terminal only.
    hidden = True if progress is None else None
    with (
        ThreadPoolExecutor() as pool,
        tqdm(total=len(photos), desc=progress, unit="photo", disable=hidden) as bar,
    ):
        for start in range(0, len(photos), batch_size):
            batch = list(pool.map(load, photos.files[start : start + batch_size]))
            yield batch
            bar.update(len(batch))
