"""Files of records: lines that are appended until a file is full."""

import os
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from app.contract.errors import ConfigurationError

_MOST_FILE_BYTES = 64 * 2**20


class Sink(Protocol):
    """Where lines go."""

    def write(self, pieces: Iterable[bytes]) -> None:
        """Writes all lines, or none of them.

        Args:
            pieces: of the lines, made while they are written: all at once would take more memory
                than the images.

        Raises:
            OSError: if they cannot be written.
            ConfigurationError: likewise.
        """
        ...


class FolderSink:
    """Appends lines to a file in a folder, and begins another where that has reached 64 MiB.

    Args:
        folder: is made if it is missing.

    Raises:
        ConfigurationError: if no file can be written there.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._number = 0
        self._file: Path | None = None
        try:
            folder.mkdir(parents=True, exist_ok=True)
            probe = folder / f".probe-{os.getpid()}"
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise ConfigurationError(
                "records_uri",
                f"{folder} cannot be written to ({error.strerror or error})",
                "give a folder that the service may write to, or the URI of a store",
            ) from error

    def write(self, pieces: Iterable[bytes]) -> None:
        """See `Sink`."""
        # Whoever takes files away takes the one that is written to as well.
        if (
            self._file is None
            or not self._file.is_file()
            or self._file.stat().st_size >= _MOST_FILE_BYTES
        ):
            self._folder.mkdir(parents=True, exist_ok=True)
            self._file = self._new()
        with self._file.open("ab") as file:
            before = file.tell()
            try:
                for piece in pieces:
                    file.write(piece)
                file.flush()
            except OSError:
                # What did fit is half a line.
                try:
                    os.ftruncate(file.fileno(), before)
                except OSError:
                    self._file = None  # nothing may follow it
                raise

    def _new(self) -> Path:
        while True:  # another service, or a clock that was set back, may have taken a name
            self._number += 1
            path = self._folder / record_name(self._number)
            try:
                path.open("xb").close()
            except FileExistsError:
                continue
            return path


def record_name(number: int) -> str:
    """The name of a file of records, the `number`-th of this process."""
    return f"records-{datetime.now(UTC):%Y%m%dT%H%M%S}-{os.getpid()}-{number}.jsonl"
