"""The photos below a folder, one after the other."""

import os
from collections.abc import Iterator
from pathlib import Path

from app.contract.photo_folder import is_photo


def walk(folder: Path) -> Iterator[Path]:
    """Every regular file with a photo's name, in the order of the alphabet, folder by folder.

    Links to folders are not followed, since they may lead back. Never holds more than the names of
    the folders on the way.

    Raises:
        OSError: if `folder` itself cannot be listed; those below it are left out.
    """
    with os.scandir(folder) as entries:
        found = sorted(entries, key=lambda entry: entry.name)
    for entry in found:
        path = Path(entry.path)
        if entry.is_dir(follow_symlinks=False):
            if not entry.name.startswith("."):
                yield from _below(path)
        elif is_photo(path) and entry.is_file():
            yield path


def _below(folder: Path) -> Iterator[Path]:
    try:
        yield from walk(folder)
    except OSError:
        return
