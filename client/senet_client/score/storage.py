"""Files by path, and by URL through fsspec. Both are strings, kept as they were given."""

import glob
import os
from collections.abc import Iterator
from contextlib import closing
from typing import IO, TYPE_CHECKING, Any, cast

from senet_client.errors import ImageTooLarge, UnreadableImage
from senet_client.score.failures import WrongOption

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

_PATTERN = frozenset("*?[")


def is_remote(location: str) -> bool:
    """Whether a location is a URL."""
    return "://" in location


def is_pattern(location: str) -> bool:
    """Whether a location is a pattern rather than the name of something that exists."""
    return not _PATTERN.isdisjoint(location) and (is_remote(location) or not exists(location))


def exists(location: str) -> bool:
    """Whether there is a file or folder at a location."""
    if is_remote(location):
        system, path = _remote(location)
        return bool(system.exists(path))
    return os.path.exists(location)


def is_folder(location: str) -> bool:
    """Whether a location is a folder."""
    if is_remote(location):
        system, path = _remote(location)
        return bool(system.isdir(path))
    return os.path.isdir(location)


def matching(pattern: str) -> list[str]:
    """The files that a pattern matches, sorted; `**` crosses folders."""
    if is_remote(pattern):
        system, path = _remote(pattern)
        found = sorted(system.glob(path, detail=True).items())
        return [_url(system, name) for name, info in found if info["type"] == "file"]
    return sorted(name for name in glob.iglob(pattern, recursive=True) if os.path.isfile(name))


def files_below(folder: str) -> Iterator[str]:
    """The files in a folder and the folders below it, in an order that never changes.

    Links to files count, links to folders are not followed.

    Raises:
        OSError: if a folder cannot be read.
    """
    if is_remote(folder):
        system, path = _remote(folder)
        yield from (_url(system, name) for name in sorted(system.find(path)))
        return
    with os.scandir(folder) as entries:
        ordered = sorted(entries, key=lambda entry: entry.name)
    for entry in ordered:
        if entry.is_dir(follow_symlinks=False):
            yield from files_below(entry.path)
        elif entry.is_file():
            yield entry.path


def absolute(location: str) -> str:
    """The location, independent of the working directory."""
    return location if is_remote(location) else os.path.abspath(location)


def beside(file: str, location: str) -> str:
    """What `location` means where it stands in `file`: relative paths start in its folder."""
    if is_remote(location) or os.path.isabs(location):
        return location
    folder = file.rpartition("/")[0] if is_remote(file) else os.path.dirname(file)
    return f"{folder}/{location}" if folder else location


def open_file(location: str) -> IO[bytes]:
    """Opens a file for reading.

    Raises:
        OSError: if it cannot be opened.
    """
    if is_remote(location):
        system, path = _remote(location)
        return cast("IO[bytes]", system.open(path, "rb"))
    return open(location, "rb")


def read(location: str, offset: int | None, length: int | None, max_bytes: int) -> bytes:
    """Reads an image: a whole file, or a stretch of one.

    Args:
        location: path or URL.
        offset: where the stretch begins; None for the whole file.
        length: of the stretch.
        max_bytes: nothing larger is read.

    Raises:
        UnreadableImage: if it cannot be read, or has changed its length since.
        ImageTooLarge: if it has more than `max_bytes` bytes.
    """
    try:
        if length is not None and length > max_bytes:
            raise _too_large(length, max_bytes)
        with closing(open_file(location)) as file:
            if offset is None:
                size = file.seek(0, os.SEEK_END)
                if size > max_bytes:
                    raise _too_large(size, max_bytes)
            file.seek(offset or 0)
            data = file.read(max_bytes if length is None else length)
    except Exception as error:
        # Every remote file system has exceptions of its own; whichever it is, this one image
        # cannot be read.
        if isinstance(error, ImageTooLarge):
            raise
        raise UnreadableImage(
            f"cannot be read: {getattr(error, 'strerror', None) or error!r}"
        ) from error
    if not data or (length is not None and len(data) < length):
        raise UnreadableImage("the file ends before the image does" if length else "is empty")
    return data


def _too_large(size: int, max_bytes: int) -> ImageTooLarge:
    return ImageTooLarge(f"{size} bytes; at most {max_bytes} are sent (--max-image-bytes)")


def _remote(url: str) -> "tuple[AbstractFileSystem, str]":
    try:
        import fsspec
    except ImportError as error:
        raise WrongOption(
            "INPUT", f"{url} needs fsspec", "pip install 'senet-client[remote]'"
        ) from error
    try:
        found: tuple[Any, str] = fsspec.core.url_to_fs(url)
    except (ImportError, ValueError) as error:
        # fsspec names the package that a protocol needs, e.g. s3fs.
        raise WrongOption("INPUT", f"{url}: {error}", "install that, or correct the URL") from error
    return found


def _url(system: "AbstractFileSystem", name: str) -> str:
    return str(system.unstrip_protocol(name))
