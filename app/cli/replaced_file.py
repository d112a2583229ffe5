"""Replacing a file that others read."""

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keeps others who ask for it from changing a file between its reading and its replacing.

    Raises:
        OSError: if its folder cannot be opened.
    """
    # The folder, for the file itself is replaced; and no file is left behind.
    folder = os.open(_target(path).parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with contextlib.suppress(OSError):  # some network file systems have no such locks
            fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def replace_text(path: Path, text: str) -> None:
    """Writes a file beside and renames it: a reader finds the old text or the new one, never half.

    Owner, group, mode and access lists stay as they are, and a link goes on leading to its file.
    A file that was not there is its owner's alone.

    Raises:
        OSError: if that cannot be done; the file is then as it was.
    """
    target = _target(path)
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    beside = Path(name)
    try:
        with os.fdopen(handle, "w") as file:
            if target.exists():
                status = target.stat()
                os.chown(beside, status.st_uid, status.st_gid)
                shutil.copystat(target, beside)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(target)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def _target(path: Path) -> Path:
    return Path(os.path.realpath(path))
