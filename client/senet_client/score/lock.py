"""The lock of an output: who holds it may change the output, and nobody else does."""

import fcntl
import os
from contextlib import suppress
from pathlib import Path
from typing import IO, Self

from senet_client.score.failures import Stopped, WrongOption
from senet_client.score.target import LOCK


class OutputLock:
    """Locks an output's folder for a `with` block; leaves nothing behind that it made.

    Args:
        folder: made if it is not there.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / LOCK
        self._file: IO[bytes] | None = None
        self._made = False

    def __enter__(self) -> Self:
        """Locks.

        Raises:
            WrongOption: if another run holds the lock.
            Stopped: if the disk does not take the file.
        """
        try:
            while self._file is None:
                self._file = self._lock()
        except OSError as error:
            raise Stopped(f"the output cannot be begun: {error.strerror or error}") from error
        return self

    def __exit__(self, *_: object) -> None:
        """Unlocks. The file goes first, so that a run that comes now makes one of its own."""
        if self._file is not None:
            self._path.unlink(missing_ok=True)
            self._file.close()
            self._file = None
        if self._made:
            with suppress(OSError):  # it holds an output now, or is gone
                self._folder.rmdir()

    def _lock(self) -> IO[bytes] | None:
        """The locked file; None if it was removed by who held it before, and there is another."""
        try:
            self._folder.mkdir(parents=True)
            self._made = True
        except FileExistsError:
            if not self._folder.is_dir():
                raise
        try:
            file = self._path.open("ab")
        except FileNotFoundError:  # the folder has just been removed by who made it
            return None
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.close()
            raise WrongOption(
                "--output",
                f"another run is writing it ({self._path} is locked)",
                "wait for it or stop it",
            ) from error
        except BaseException:
            file.close()
            raise
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(file.fileno()), self._path.stat()):
                return file
        file.close()
        return None
