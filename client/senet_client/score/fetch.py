"""Reads one input: the whole file or a stretch of it, with one request."""

import errno
import os
import threading
from collections.abc import Callable
from contextlib import closing
from functools import lru_cache
from typing import IO, TYPE_CHECKING, cast

from senet_client.errors import ImageError, ImageTooLarge, UnreadableImage
from senet_client.images import open_regular
from senet_client.score import storage
from senet_client.score.failures import OutOfReach, WrongOption
from senet_client.score.outages import is_outage

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem


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

    def attempt() -> bytes:
        if length == 0:
            return b""
        how = _read_remote if storage.is_remote(location) else _read_local
        return how(location, offset, length, max_bytes)

    data = telling(location, attempt)
    if offset is None and len(data) > max_bytes:
        raise ImageTooLarge(f"more than {max_bytes} bytes; {_REMEDY}")
    if not data or (offset is not None and len(data) != length):
        raise UnreadableImage("the file ends before the image does" if length else "is empty")
    return data


def telling(location: str, attempt: Callable[[], bytes]) -> bytes:
    """Reads, and tells an image's own failure from that of its storage.

    Args:
        location: path or URL of what is read.
        attempt: reads it.

    Raises:
        ImageError: if it is the image's own.
        OutOfReach: if its storage does not answer.
    """
    try:
        return attempt()
    except Exception as error:
        # Every remote file system has exceptions of its own.
        if isinstance(error, ImageError):
            raise
        if isinstance(error, WrongOption) and not isinstance(error.__cause__, ValueError):
            raise  # a package is missing; that a protocol does not exist is this image's error
        told = f"cannot be read: {_reason(error)}"
        if is_outage(error):
            raise OutOfReach(f"{location} {told}") from error
        raise UnreadableImage(told) from error


def _reason(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return os.strerror(errno.ENOENT)  # remote file systems often say its name and no more
    told = getattr(error, "strerror", None) or " ".join(str(error).split())
    # A remote file system may tell of a name that is not text.
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
    system, path = storage.remote_system(location)
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
    return storage.remote_system(root)[0], threading.Lock()


def _too_large(size: int, max_bytes: int) -> ImageTooLarge:
    return ImageTooLarge(f"{size} bytes; at most {max_bytes} are sent (--max-image-bytes)")
