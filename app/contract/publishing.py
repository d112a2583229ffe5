"""Writing a model version whole or not at all."""

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from app.contract.errors import ConfigurationError

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@contextmanager
def staged(target: Path, *, force: bool) -> Iterator[Path]:
    """A new directory beside `target` that takes its place when the block ends well.

    If the block raises, the new directory is removed and `target` is as it was. A reader of the
    repository meets a whole version; while one is replaced there is an instant with none.

    Args:
        target: `models/<name>/<version>`.
        force: whether an existing `target` may be replaced.

    Raises:
        ConfigurationError: if `target` exists and `force` is not set, or the disk is full or
            not writable.
    """
    refuse_existing(target, force=force)
    is_first = not target.parent.exists()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        stage = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    except OSError as error:
        raise _write_failed(target, error) from error
    try:
        yield stage
        stage.chmod(0o755)
        for path in (*stage.iterdir(), stage):
            sync(path)
        _replace(target, stage)
    except OSError as error:
        if error.errno in _FULL or str(stage) in str(error.filename):
            raise _write_failed(target, error) from error
        raise
    finally:
        shutil.rmtree(stage, ignore_errors=True)
        if is_first:
            with suppress(OSError):  # it holds the version, or another process's
                target.parent.rmdir()


def refuse_existing(target: Path, *, force: bool) -> None:
    """Raises ConfigurationError if `target` exists and may not be replaced."""
    if target.exists() and not force:
        raise ConfigurationError(
            "--force", f"{target} exists", "give --force to replace it, or write another version"
        )


def _replace(target: Path, stage: Path) -> None:
    if not target.exists():
        stage.rename(target)
    else:
        # A directory that is not empty cannot be renamed over: the old one steps aside first.
        aside = Path(tempfile.mkdtemp(prefix=f".{target.name}-old-", dir=target.parent))
        try:
            target.rename(aside / target.name)
            try:
                stage.rename(target)
            except OSError:
                (aside / target.name).rename(target)
                raise
        finally:
            shutil.rmtree(aside, ignore_errors=True)
    sync(target.parent)


def sync(path: Path) -> None:
    """Has a file or a folder outlast a crash of the machine."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_failed(target: Path, error: OSError) -> ConfigurationError:
    if error.errno in _FULL:
        return ConfigurationError(
            "--repository",
            f"no space left to write {target}; nothing of it was kept",
            "free some space or choose another repository",
        )
    return ConfigurationError(
        "--repository",
        f"{target} cannot be written ({error.strerror or error})",
        "choose a directory that you may write to",
    )
