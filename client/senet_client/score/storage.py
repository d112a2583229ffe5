"""Files by path, and by URL through fsspec. Both are strings, kept as they were given.

`zip://member::archive` and the like are URLs too, fsspec's chained ones.
"""

import errno
import glob
import os
import threading
from collections.abc import Iterator
from contextlib import closing
from functools import lru_cache
from typing import IO, TYPE_CHECKING, Any, NamedTuple, cast

from senet_client.errors import ImageTooLarge, UnreadableImage
from senet_client.extras import how_to_install
from senet_client.images import open_regular
from senet_client.score.failures import OutOfReach, WrongOption
from senet_client.score.outages import is_outage

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

_PATTERN = frozenset("*?[")


class Found(NamedTuple):
    """A file that was found, and its size in bytes where the listing tells it."""

    name: str
    size: int | None = None


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


def is_local_folder(location: str) -> bool:
    """Whether a location is a folder of this machine; asks no remote storage."""
    return not is_remote(location) and os.path.isdir(location)


def matching(pattern: str) -> list[Found]:
    """What a pattern matches and is no folder, sorted; `**` crosses folders."""
    if is_remote(pattern):
        system, path = _remote(pattern)
        found = sorted(system.glob(path, detail=True).items())
        return [
            Found(_url(system, name, pattern), info.get("size"))
            for name, info in found
            if info["type"] != "directory"
        ]
    # `lexists`, for a link that leads nowhere is matched too, and told of.
    return [
        Found(name)
        for name in sorted(glob.iglob(pattern, recursive=True))
        if not os.path.isdir(name) and os.path.lexists(name)
    ]


def files_below(folder: str) -> Iterator[Found]:
    """What is in a folder and the folders below it, in an order that never changes.

    Links are followed. A folder is listed once, however many links lead to it. What cannot be
    listed or followed is given by its name, for its reader to find out why.

    Raises:
        OSError: if the folder itself cannot be read.
    """
    if is_remote(folder):
        system, path = _remote(folder)
        found = sorted(system.find(path, detail=True).items())
        yield from (Found(_url(system, name, folder), info.get("size")) for name, info in found)
        return
    yield from _below(folder, os.listdir(folder), {_identity(folder)})


def _below(folder: str, names: list[str], listed: set[tuple[int, int]]) -> Iterator[Found]:
    for name in sorted(names):
        path = os.path.join(folder, name)
        if not os.path.isdir(path):
            yield Found(path)
            continue
        try:
            identity, below = _identity(path), os.listdir(path)
        except OSError:
            yield Found(path)
            continue
        if identity not in listed:
            listed.add(identity)
            yield from _below(path, below, listed)


def _identity(folder: str) -> tuple[int, int]:
    told = os.stat(folder)
    return told.st_dev, told.st_ino


def inner_name(location: str) -> str:
    """The part of a location whose suffix says what it is: of a member in an archive, its name."""
    return location.partition("::")[0] if is_remote(location) else location


def absolute(location: str) -> str:
    """The location, independent of the working directory."""
    inner, archive = _split(location)
    return inner + (archive if is_remote(archive) else os.path.abspath(archive))


def beside(file: str, location: str) -> str:
    """What `location` means where it stands in `file`: relative paths start in its folder."""
    inner, archive = _split(location)
    return inner + _beside(file, archive)


def _split(location: str) -> tuple[str, str]:
    """`zip://member::` and the archive; nothing and the location where it is none in an archive."""
    if not is_remote(location):
        return "", location
    inner, chain, archive = location.rpartition("::")
    return inner + chain, archive


def _beside(file: str, location: str) -> str:
    if is_remote(location) or os.path.isabs(location):
        return location
    folder = file.rpartition("/")[0] if is_remote(file) else os.path.dirname(file)
    return f"{folder}/{location}" if folder else location


def open_file(location: str) -> IO[bytes]:
    """Opens a file for reading.

    Raises:
        OSError: if it cannot be opened.
        ValueError: if it is a pipe, device or socket.
    """
    if is_remote(location):
        system, path = _remote(location)
        return cast("IO[bytes]", system.open(path, "rb"))
    return open_regular(location)


def read(location: str, offset: int | None, length: int | None, max_bytes: int) -> bytes:
    """Reads an image: a whole file, or a stretch of one.

    Args:
        location: path or URL.
        offset: where the stretch begins; None for the whole file.
        length: of the stretch, or of the whole file as it was listed; None if that is not known.
        max_bytes: nothing larger is read.

    Raises:
        UnreadableImage: if it cannot be read, or has changed its length since.
        ImageTooLarge: if it has more than `max_bytes` bytes.
        OutOfReach: if its storage does not answer.
    """
    if length is not None and length > max_bytes:
        raise _too_large(length, max_bytes)
    try:
        if length == 0:
            data = b""
        elif is_remote(location):
            data = _read_remote(location, offset, length, max_bytes)
        else:
            data = _read_local(location, offset, length, max_bytes)
    except Exception as error:
        # Every remote file system has exceptions of its own.
        if isinstance(error, ImageTooLarge):
            raise
        if isinstance(error, WrongOption) and not isinstance(error.__cause__, ValueError):
            raise  # a package is missing; that a protocol does not exist is this image's error
        told = f"cannot be read: {_reason(error)}"
        if is_outage(error):
            raise OutOfReach(f"{location} {told}") from error
        raise UnreadableImage(told) from error
    if offset is None and len(data) > max_bytes:
        raise ImageTooLarge(f"more than {max_bytes} bytes; {_REMEDY}")
    if not data or (offset is not None and len(data) != length):
        raise UnreadableImage("the file ends before the image does" if length else "is empty")
    return data


def _reason(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return os.strerror(errno.ENOENT)  # remote file systems often say its name and no more
    told = getattr(error, "strerror", None) or " ".join(str(error).split())
    # A remote file system may tell of a name that is no text.
    return told.encode("utf-8", "backslashreplace").decode() or type(error).__name__


_REMEDY = "no more are sent (--max-image-bytes)"


def _read_local(location: str, offset: int | None, length: int | None, max_bytes: int) -> bytes:
    with open_regular(location) as file:
        if offset is None:
            size = os.fstat(file.fileno()).st_size
            if size > max_bytes:
                raise _too_large(size, max_bytes)
            return file.read(max_bytes + 1)
        file.seek(offset)
        return file.read(-1 if length is None else length)


def _read_remote(location: str, offset: int | None, length: int | None, max_bytes: int) -> bytes:
    """One request: neither is the size asked for first, nor is more read than is allowed."""
    if "::" in location:
        member, chain, archive = location.partition("::")
        protocol, _, path = member.partition("://")
        system, lock = _archive(f"{protocol}://{chain}{archive}")
        # Members share their archive's file, and its position.
        with lock, closing(system.open(path, "rb")) as file:
            return _bounded(file, max_bytes + 1)
    system, path = _remote(location)
    is_http = "http" in system.protocol or "https" in system.protocol
    if is_http and offset is None:
        # As a stream, for a server may ignore the range; the size keeps it from being asked for.
        with closing(system.open(path, "rb", block_size=0, size=length or 1)) as file:
            return _bounded(file, max_bytes + 1)
    if is_http:
        # Checks that the server keeps to the range.
        end = (offset or 0) + (length or 0)
        with closing(system.open(path, "rb", size=end, cache_type="none")) as file:
            file.seek(offset)
            return cast("bytes", file.read(length))
    start = offset or 0
    end = start + (max_bytes + 1 if offset is None or length is None else length)
    return cast("bytes", system.cat_file(path, start=start, end=end))


def _bounded(file: IO[bytes], most: int) -> bytes:
    pieces: list[bytes] = []
    while most > 0 and (piece := file.read(most)):
        pieces.append(piece)
        most -= len(piece)
    return b"".join(pieces)


@lru_cache(maxsize=8)
def _archive(root: str) -> "tuple[AbstractFileSystem, threading.Lock]":
    """An archive, opened once: to open it is to read its whole table of contents."""
    return _remote(root)[0], threading.Lock()


def _too_large(size: int, max_bytes: int) -> ImageTooLarge:
    return ImageTooLarge(f"{size} bytes; at most {max_bytes} are sent (--max-image-bytes)")


def _remote(url: str) -> "tuple[AbstractFileSystem, str]":
    try:
        import fsspec
    except ImportError as error:
        raise WrongOption("INPUT", f"{url} needs fsspec", how_to_install("remote")) from error
    try:
        found: tuple[Any, str] = fsspec.core.url_to_fs(url)
    except (ImportError, ValueError) as error:
        # fsspec names the package that a protocol needs, e.g. s3fs.
        raise WrongOption("INPUT", f"{url}: {error}", "install that, or correct the URL") from error
    return found


def _url(system: "AbstractFileSystem", name: str, listed: str) -> str:
    """The URL of what was found; of a member, together with the archive it was found in."""
    _, chain, archive = listed.partition("::")
    if not chain:
        return str(system.unstrip_protocol(name))
    return f"{listed.partition('://')[0]}://{name.lstrip('/')}{chain}{archive}"
