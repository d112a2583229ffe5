"""Hides a shared library from every program on this machine, for as long as a block runs.

A machine may have a library of CUDA several times: in Python packages, in a toolkit, in folders of
the system. Whichever of them is left is the one that is found. To be run as root, on a machine that
nobody else uses.
"""

import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

_SUFFIX = ".away"
_NOT_ON_DISK = ("/proc", "/sys", "/dev")
_SECONDS = 60


def copies(name: str, root: Path = Path("/")) -> list[Path]:
    """Every file and link below `root` whose name begins with `name`.

    Args:
        name: such as "libcudnn.so".
        root: where to search.
    """
    skipped = [part for path in _NOT_ON_DISK for part in ("-path", path, "-o")][:-1]
    command = ["find", str(root), "(", *skipped, ")", "-prune", "-o", "-name", f"{name}*", "-print"]
    # What cannot be read is told by the exit code, and is of no use to the service either.
    done = subprocess.run(  # noqa: S603 - find, of the system
        command, capture_output=True, text=True, timeout=_SECONDS, check=False
    )
    found = (Path(line) for line in done.stdout.splitlines())
    return sorted(file for file in found if file.suffix != _SUFFIX)


@contextmanager
def hidden(name: str, root: Path = Path("/")) -> Iterator[tuple[list[Path], list[Path]]]:
    """Renames every copy for the length of a block.

    Args:
        name: see `copies`.
        root: likewise.

    Yields:
        Those that are away, and those that could not be renamed.
    """
    away, kept = [], []
    with ExitStack() as undo:
        for file in copies(name, root):
            moved = file.with_name(file.name + _SUFFIX)
            try:
                file.rename(moved)
            except OSError:
                kept.append(file)
                continue
            undo.callback(os.rename, moved, file)
            away.append(file)
        yield away, kept
