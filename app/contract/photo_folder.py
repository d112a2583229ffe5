"""Photos in a folder of the user's own, as a model sees them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.contract.errors import ConfigurationError, ImageError
from app.contract.manifest import Preprocessing
from app.contract.preprocess import NetworkInput, network_input

_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif"}
)
# Four batches of seven, the larger batch size at which an export compares outputs.
_SAMPLE = 28
# The user's own photos may be large; this only stops decompression bombs.
_MAX_PIXELS = 178_956_970


def is_photo(path: Path) -> bool:
    """Whether a file's name is that of a photo; names with a leading dot are not."""
    return path.suffix.lower() in _SUFFIXES and not path.name.startswith(".")


def photo_files(option: str, folder: Path) -> tuple[Path, ...]:
    """Every photo below a folder, in a stable order.

    Args:
        option: the command-line option that named the folder, for messages.
        folder: where to look.

    Raises:
        ConfigurationError: if there is none.
    """
    files = tuple(sorted(path for path in folder.rglob("*") if is_photo(path) and path.is_file()))
    if not files:
        raise ConfigurationError(option, f"no photo below {folder}", "name a folder of photos")
    return files


def load_photo(option: str, file: Path, preprocessing: Preprocessing) -> NDArray[np.uint8]:
    """One photo: uint8 [height, width, 3].

    Raises:
        ConfigurationError: if it cannot be decoded.
    """
    return load_input(option, file, preprocessing).pixels


def load_input(option: str, file: Path, preprocessing: Preprocessing) -> NetworkInput:
    """One photo, and which region of it the network sees.

    Raises:
        ConfigurationError: if it cannot be decoded.
    """
    try:
        return network_input(file.read_bytes(), preprocessing, max_pixels=_MAX_PIXELS)
    except (ImageError, OSError) as error:
        raise ConfigurationError(
            option, f"{file}: {error}", "repair or remove the photo"
        ) from error


def sample(option: str, files: Sequence[Path], preprocessing: Preprocessing) -> NDArray[np.uint8]:
    """At most 28 of the photos, evenly spaced, so that many classes are met.

    Returns:
        uint8 [n, height, width, 3].

    Raises:
        ConfigurationError: naming the first photo that cannot be decoded.
    """
    chosen = np.unique(np.linspace(0, len(files) - 1, min(_SAMPLE, len(files))).astype(int))
    return np.stack([load_photo(option, files[index], preprocessing) for index in chosen])
