"""Copies of model versions on this machine, whole or not there."""

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from app.contract.errors import ConfigurationError
from app.contract.publishing import sync
from app.remote.failures import writing

_DIGESTS = "copied.json"
_UNFINISHED = ".copying-"
_KEPT = 3
# Others may tidy up at the same moment.
_TRIES = 3
_UNUSED_SECONDS = 24 * 3600


class Copies:
    """A folder of copies, one for each key. Any number of processes may share it.

    A copy is made in a folder of its own, which is renamed when it is whole: of two processes that
    copy the same, the second takes what the first has made. A copy is used only while each of its
    files has the digest that was noted when it was made.

    Args:
        folder: where they are; made when needed.
        clock: seconds since 1970, as the file system counts them.
    """

    def __init__(self, folder: Path, clock: Callable[[], float] = time.time) -> None:
        self._folder = folder
        self._clock = clock

    def get(self, group: str, key: str, make: Callable[[Path], None]) -> Path:
        """The folder of a copy.

        Args:
            group: what it is a copy of; of each group the last ones that were used are kept.
            key: names the content; letters and digits.
            make: writes the files into a new folder, if there is no whole copy.

        Raises:
            ConfigurationError: if it cannot be written.
        """
        home = self._folder / group
        target = home / key
        with writing(home):
            home.mkdir(parents=True, exist_ok=True)
            for _ in range(_TRIES):
                if target.is_dir():
                    if _is_whole(target):
                        break
                    _discard(target)
                if not target.is_dir():
                    self._make(target, make)
                    break
            else:
                raise OSError(f"{target} is damaged, and cannot be taken away")
            now = self._clock()
            with contextlib.suppress(OSError):  # it may belong to another user
                os.utime(target, (now, now))
            self._forget_old(home, target)
        return target

    def _make(self, target: Path, make: Callable[[Path], None]) -> None:
        with _unfinished(target.parent) as stage:
            make(stage)
            digests = {path.name: _digest(path) for path in stage.iterdir()}
            (stage / _DIGESTS).write_text(json.dumps(digests))
            for path in (*stage.iterdir(), stage):
                sync(path)
            stage.chmod(0o755)
            try:
                stage.rename(target)
            except OSError:
                if not target.is_dir():
                    raise  # else another process was faster

    def _forget_old(self, home: Path, used: Path) -> None:
        """Removes copies that nobody has used for a day, but for the last few."""
        with contextlib.suppress(OSError):  # another process may do the same
            others = [
                (path.stat().st_mtime, path)
                for path in home.iterdir()
                if path != used and not path.name.startswith(".")
            ]
            for when, path in sorted(others, reverse=True)[_KEPT - 1 :]:
                if when < self._clock() - _UNUSED_SECONDS:
                    _discard(path)


@contextlib.contextmanager
def _unfinished(home: Path) -> Iterator[Path]:
    """A new folder, which is removed if it is still there; and so are those of dead processes."""
    with _locked(home):
        for left in home.glob(f"{_UNFINISHED}*"):
            with contextlib.suppress(OSError), _locked(left, wait=False):
                shutil.rmtree(left, ignore_errors=True)
        stage = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=home))
        held = contextlib.ExitStack()
        held.enter_context(_locked(stage))
    try:
        with held:
            yield stage
    finally:
        shutil.rmtree(stage, ignore_errors=True)


@contextlib.contextmanager
def _locked(folder: Path, *, wait: bool = True) -> Iterator[None]:
    """Holds a folder's lock, which ends with the process.

    Raises:
        OSError: without `wait`, if it is held by others, or there are no locks.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if wait:
            with contextlib.suppress(OSError):  # some network file systems have none
                fcntl.flock(descriptor, fcntl.LOCK_EX)
        else:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


def _is_whole(copy: Path) -> bool:
    try:
        digests = json.loads((copy / _DIGESTS).read_bytes())
        return bool(digests) and all(
            _digest(copy / name) == digest for name, digest in digests.items()
        )
    except (OSError, ValueError, AttributeError, TypeError):
        return False


def _discard(copy: Path) -> None:
    """Takes a copy away in one step, so that nobody meets half of it."""
    aside = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=copy.parent))
    with contextlib.suppress(FileNotFoundError):  # another process was faster
        copy.rename(aside / copy.name)
    shutil.rmtree(aside, ignore_errors=True)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def cache_folder(directory: Path | None) -> Path:
    """Where copies are kept.

    Args:
        directory: the cache; None if there is none.

    Raises:
        ConfigurationError: if there is none.
    """
    if directory is None:
        raise ConfigurationError(
            "cache_directory",
            "a remote model repository is copied to a local folder, and the user has no home"
            " directory",
            "set --cache-directory (SENET_CACHE_DIRECTORY)",
        )
    return directory / "models"
