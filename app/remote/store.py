"""The files behind a URI, through fsspec."""

import hashlib
from collections.abc import Callable
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.contract.errors import ConfigurationError
from app.remote.calls import Calls
from app.remote.connection import Connection, connect
from app.remote.failures import is_absent, reading

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

_CHUNK_BYTES = 2**20
# Of what the libraries tell of a file, by their names without punctuation.
_TELLING = {
    "size", "etag", "lastmodified", "md5", "md5hash", "contentmd5", "generation", "mtime",
    "updated", "created",
}  # fmt: skip


class Store:
    """Reads and writes files by their paths below a URI. Any thread may call it.

    Args:
        uri: for messages.
        connect: called once, when something is asked for the first time: libraries take a second
            to import.
        calls: makes the calls of the library.
    """

    def __init__(
        self, uri: str, connect: Callable[[], Connection], calls: Calls | None = None
    ) -> None:
        self.uri = uri
        self._connect = connect
        self._calls = calls or Calls()

    def close(self) -> None:
        """Gives up what is under way."""
        self._calls.close()

    def where(self, path: str) -> str:
        """A path, for messages."""
        return f"{self.uri}/{path}".rstrip("/")

    def folder(self, path: str) -> list[str]:
        """The names in a folder; empty if there is none.

        Raises:
            ConfigurationError: if it cannot be listed.
        """
        with reading(self.where(path)):
            self._connection.filesystem.invalidate_cache()
            try:
                found = self._calls(
                    lambda: self._connection.filesystem.ls(self._at(path), detail=False)
                )
            except FileNotFoundError as error:
                if is_absent(error):
                    return []
                raise
        return sorted({str(name).rstrip("/").rpartition("/")[2] for name in found})

    def has(self, path: str) -> bool:
        """Whether there is a file.

        Raises:
            ConfigurationError: if that cannot be known.
        """
        with reading(self.where(path)):
            try:
                self._info(path)
            except FileNotFoundError as error:
                if is_absent(error):
                    return False
                raise
        return True

    def stamp(self, path: str) -> tuple[object, ...]:
        """What changes when a file does, as far as the store tells.

        Raises:
            ConfigurationError: if it is not there, or cannot be read.
        """
        with reading(self.where(path)):
            told = self._info(path)
        return tuple(
            sorted(
                (key, str(value))
                for key, value in told.items()
                if "".join(filter(str.isalnum, key)).lower() in _TELLING
            )
        )

    def read(self, path: str, limit_bytes: int) -> bytes:
        """A small file.

        Raises:
            ConfigurationError: if it is not there, cannot be read, or is larger.
        """
        with reading(self.where(path)), self._open(path) as file:
            data: bytes = self._calls(lambda: file.read(limit_bytes + 1))
        if len(data) > limit_bytes:
            raise ConfigurationError(
                "model_repository",
                f"{self.where(path)} has more than {limit_bytes} bytes",
                "copy the model again or export it anew",
            )
        return data

    def copy(self, path: str, target: Path, on_chunk: Callable[[], None]) -> str:
        """Copies a file here.

        Args:
            path: the file.
            target: gets it.
            on_chunk: called again and again; what it raises ends the copying.

        Returns:
            The SHA-256 of what was copied.

        Raises:
            ConfigurationError: if it is not there, or cannot be read.
            OSError: if it cannot be written here.
        """
        digest = hashlib.sha256()
        with target.open("xb") as file:
            with reading(self.where(path)):
                source = self._open(path)
            with source:
                while True:
                    on_chunk()
                    with reading(self.where(path)):
                        chunk = self._calls(lambda: source.read(_CHUNK_BYTES))
                    if not chunk:
                        break
                    digest.update(chunk)
                    file.write(chunk)
        return digest.hexdigest()

    def write(self, source: Path, path: str) -> None:
        """Copies a file there.

        Raises:
            ConfigurationError: if that fails.
        """
        with reading(self.where(path)):
            self._fresh.put_file(str(source), self._at(path))

    def remove(self, path: str) -> None:
        """Removes a file.

        Raises:
            ConfigurationError: if that fails.
        """
        with reading(self.where(path)):
            self._fresh.rm_file(self._at(path))

    @cached_property
    def _connection(self) -> Connection:
        return self._connect()

    def _at(self, path: str) -> str:
        return f"{self._connection.root}/{path}".rstrip("/")

    @property
    def _fresh(self) -> "AbstractFileSystem":
        self._connection.filesystem.invalidate_cache()
        return self._connection.filesystem

    def _info(self, path: str) -> dict[str, Any]:
        found: dict[str, Any] = self._calls(lambda: self._fresh.info(self._at(path)))
        return found

    def _open(self, path: str) -> Any:  # noqa: ANN401 - fsspec has no type of its own for it
        options = self._connection.open_options
        return self._calls(lambda: self._fresh.open(self._at(path), "rb", **options))


def open_store(uri: str) -> Store:
    """The store of a URI, see `location`. Its library is looked for when it is asked."""
    return Store(uri, partial(connect, uri))
