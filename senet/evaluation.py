"""Accuracy of any classifier on a folder of class folders, through the service's preprocessing."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.contract.errors import ConfigurationError, ImageError
from app.contract.manifest import Label, Preprocessing
from app.contract.photo_folder import is_photo
from app.contract.preprocess import preprocess

# Evaluation photos come from the user's own disk: the limit only stops decompression bombs.
_MAX_PIXELS = 178_956_970
# Strays that a note names.
_NAMED = 5

Infer = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
"""uint8 [batch, height, width, 3] -> logits float32 [batch, classes]."""


@dataclass(frozen=True)
class Photos:
    """Evaluation photos as the network takes them.

    Attributes:
        files: where each photo was read from, sorted by class and name.
        images: uint8 [n, height, width, 3].
        targets: int64 [n], index of the true class.
        notes: what the folder lacks or holds besides, in whole sentences.
    """

    files: tuple[Path, ...]
    images: NDArray[np.uint8]
    targets: NDArray[np.int64]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Evaluation:
    """What a classifier made of the photos.

    Attributes:
        files: as in `Photos`.
        targets: as in `Photos`.
        logits: float32 [n, classes].
    """

    files: tuple[Path, ...]
    targets: NDArray[np.int64]
    logits: NDArray[np.float32]

    @property
    def count(self) -> int:
        """Number of photos."""
        return len(self.files)

    @property
    def predictions(self) -> NDArray[np.int64]:
        """int64 [n], index of the class with the largest logit."""
        largest: NDArray[np.int64] = self.logits.argmax(axis=1)
        return largest

    @property
    def top1(self) -> float:
        """Fraction of photos whose class has the largest logit."""
        return float((self.predictions == self.targets).mean())

    @property
    def top5(self) -> float:
        """Fraction of photos whose class is among the five largest logits."""
        best = np.argsort(-self.logits, axis=1, kind="stable")[:, :5]
        return float((best == self.targets[:, None]).any(axis=1).mean())


@dataclass(frozen=True)
class Listing:
    """The photos of a folder of class folders.

    Attributes:
        photos: (file, class index), sorted by class and name.
        without: the classes that have no photo there.
        strays: files whose names are not those of photos, which were skipped.
    """

    photos: tuple[tuple[Path, int], ...]
    without: tuple[Label, ...]
    strays: tuple[Path, ...]

    @property
    def notes(self) -> tuple[str, ...]:
        """What was left out, in whole sentences."""
        said = []
        if self.without:
            total = len(self.without) + len({index for _, index in self.photos})
            said.append(f"{len(self.without):,} of {total:,} classes have no photos.")
        if self.strays:
            shown = ", ".join(str(path) for path in self.strays[:_NAMED])
            more = len(self.strays) - _NAMED
            rest = f" and {more} more" if more > 0 else ""
            said.append(f"Skipped, because their names are not those of photos: {shown}{rest}.")
        return tuple(said)


def list_photos(
    option: str, folder: Path, labels: Sequence[Label], *, every_class: bool = False
) -> Listing:
    """Lists `folder/<class id>/<photo>`.

    Args:
        option: the command-line option that named the folder, for messages.
        folder: where the photos lie.
        labels: the classes.
        every_class: whether each of them needs a photo.

    Raises:
        ConfigurationError: if the folder is missing, holds a class that `labels` lacks, or no
            photo; or a class has none that needs one.
    """
    if not folder.is_dir():
        raise ConfigurationError(option, f"{folder} is not a folder", "give one of class folders")
    found = {entry.name for entry in folder.iterdir() if entry.is_dir()}
    unknown = sorted(name for name in found - {label.id for label in labels} if name[0] != ".")
    if unknown:
        raise ConfigurationError(
            option, f"{folder} holds the unknown class {unknown[0]!r}", "remove or rename it"
        )
    photos: list[tuple[Path, int]] = []
    without: list[Label] = []
    strays = sorted(path for path in folder.glob("*") if path.is_file())
    for label in labels:
        # Not glob() for labels without a folder: there may be a thousand of them.
        files = sorted((folder / label.id).glob("*")) if label.id in found else []
        files = [path for path in files if path.is_file()]
        of_class = [path for path in files if is_photo(path)]
        strays += [path for path in files if not is_photo(path)]
        if not of_class:
            without.append(label)
        photos += [(path, label.index) for path in of_class]
    if without and every_class:
        raise ConfigurationError(
            option, f"{folder / without[0].id} holds no photo", "add photos of this class"
        )
    if not photos:
        raise ConfigurationError(
            option,
            f"{folder} holds no photo of any class",
            f"give a folder with class folders such as {labels[0].id}",
        )
    return Listing(tuple(photos), tuple(without), tuple(strays))


def load_photos(
    option: str, folder: Path, labels: Sequence[Label], preprocessing: Preprocessing
) -> Photos:
    """Decodes every photo of a folder exactly as the service does.

    Args:
        option: as in `list_photos`.
        folder: as in `list_photos`.
        labels: as in `list_photos`.
        preprocessing: the model's contract.

    Raises:
        ConfigurationError: as `list_photos`, and if a photo is corrupt.
    """
    listing = list_photos(option, folder, labels)
    files = tuple(path for path, _ in listing.photos)

    def decode(path: Path) -> NDArray[np.uint8]:
        try:
            return preprocess(path.read_bytes(), preprocessing, max_pixels=_MAX_PIXELS)
        except (ImageError, OSError) as error:
            raise ConfigurationError(
                option, f"{path}: {error}", "repair or remove the photo"
            ) from error

    with ThreadPoolExecutor() as pool:
        images = np.stack(list(pool.map(decode, files)))
    targets = np.array([index for _, index in listing.photos], dtype=np.int64)
    return Photos(files, images, targets, listing.notes)


def evaluate(infer: Infer, photos: Photos, batch_size: int = 32) -> Evaluation:
    """Runs a classifier over the photos.

    Args:
        infer: the classifier; see `Infer`.
        photos: what `load_photos` returned.
        batch_size: photos per call of `infer`; the last call may have fewer.
    """
    batches = [
        infer(photos.images[start : start + batch_size])
        for start in range(0, len(photos.files), batch_size)
    ]
    return Evaluation(photos.files, photos.targets, np.concatenate(batches).astype(np.float32))
