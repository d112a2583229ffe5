"""Training photos in memory, and the labels that their folders name."""

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from app.contract.errors import ConfigurationError
from app.contract.manifest import Label
from senet.evaluation import list_photos
from senet.sources.labels import read_labels


@dataclass(frozen=True, eq=False)
class TrainingPhotos:
    """All photos of a training folder, decoded once.

    Attributes:
        images: each uint8 [height, width, 3], RGB, its shorter side resized.
        targets: class index of each.
        notes: what the folder holds besides, in whole sentences.
        digest: of the files' names and classes, wherever the folder lies.
    """

    images: tuple[NDArray[np.uint8], ...]
    targets: tuple[int, ...]
    notes: tuple[str, ...] = ()
    digest: str = ""


def class_labels(folder: Path, classes: Path | None = None) -> tuple[Label, ...]:
    """Makes the labels of a folder of class folders.

    Args:
        folder: holds one subfolder for each class, named by the class's id.
        classes: text file with one `index id name` a line; without it the subfolders are taken
            in alphabetical order, and an id serves as the name too.

    Raises:
        ConfigurationError: if there is no class, or the file is malformed.
    """
    ids = (
        sorted(
            entry.name
            for entry in folder.iterdir()
            # Programs keep folders of their own there, such as `.ipynb_checkpoints`.
            if entry.is_dir() and not entry.name.startswith(".")
        )
        if folder.is_dir()
        else []
    )
    if not ids:
        raise ConfigurationError(
            "--data", f"{folder} holds no class folder", "give a folder with train/ and val/"
        )
    if classes is None:
        return tuple(Label(index=index, id=name, name=name) for index, name in enumerate(ids))
    try:
        return read_labels(classes, len(ids))
    except ConfigurationError as error:
        raise ConfigurationError("--classes", error.cause, error.remedy) from error


def load_training_photos(
    folder: Path, labels: Sequence[Label], shorter_side: int
) -> TrainingPhotos:
    """Decodes every photo of `folder/<class id>/` and resizes its shorter side, in pixels.

    Raises:
        ConfigurationError: as `list_photos`, and if a photo cannot be decoded.
    """
    listing = list_photos("--data", folder, labels, every_class=True)

    def decode(path: Path) -> NDArray[np.uint8]:
        try:
            with Image.open(path) as image:
                upright = _rgb(ImageOps.exif_transpose(image))
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            raise ConfigurationError(
                "--data", f"{path} is not a readable photo", "repair or remove the file"
            ) from error
        scale = shorter_side / min(upright.size)
        size = (round(upright.width * scale), round(upright.height * scale))
        return np.asarray(upright.resize(size, Image.Resampling.BICUBIC))

    with ThreadPoolExecutor() as pool:
        images = tuple(pool.map(decode, (path for path, _ in listing.photos)))
    names = "".join(f"{index} {path.name}\n" for path, index in listing.photos)
    return TrainingPhotos(
        images,
        tuple(index for _, index in listing.photos),
        listing.notes,
        hashlib.sha256(names.encode("utf-8", "surrogateescape")).hexdigest(),
    )


def _rgb(image: Image.Image) -> Image.Image:
    """Colours as `app.contract.preprocess` sees them, for a whole image."""
    if image.mode.startswith("I"):
        # 16-bit greyscale: Pillow's own conversion would clip it to white.
        image = Image.fromarray((np.asarray(image).clip(0, 65535) >> 8).astype(np.uint8))
    if image.has_transparency_data:
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image.convert("RGBA"))
    return image.convert("RGB")
