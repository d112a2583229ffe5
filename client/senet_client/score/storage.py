"""Files by path, and by URL through fsspec. Both are strings, kept as they were given.

`zip://member::archive` and the like are URLs too, fsspec's chained ones.
"""

import glob
import os
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING, Any, NamedTuple, cast

from senet_client.extras import how_to_install
from senet_client.images import open_regular
from senet_client.score.failures import WrongOption

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
        system, path = remote_system(location)
        return bool(system.exists(path))
    return os.path.exists(location)


def is_folder(location: str) -> bool:
    """Whether a location is a folder."""
    if is_remote(location):
        system, path = remote_system(location)
        return bool(system.isdir(path))
    return os.path.isdir(location)


def is_local_folder(location: str) -> bool:
    """Whether a location is a folder of this machine; asks no remote storage."""
    return not is_remote(location) and os.path.isdir(location)


def matching(pattern: str) -> list[Found]:
    """What a pattern matches and is not a folder, sorted; `**` crosses folders."""
    if is_remote(pattern):
        system, path = remote_system(pattern)
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
        system, path = remote_system(folder)
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
        system, path = remote_system(location)
        return cast("IO[bytes]", system.open(path, "rb"))
    return open_regular(location)


def remote_system(url: str) -> "tuple[AbstractFileSystem, str]":
    """The file system that a URL belongs to, and the path in it.

    Raises:
        WrongOption: if there is none, or a package is missing.
    """
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
