"""The journal: under which options a run was begun, and which parts are committed."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Self

from senet_client.score.failures import WrongOption
from senet_client.score.storage import absolute

Header = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Commit:
    """One part that is on disk.

    Attributes:
        part: its number.
        rows: how many it holds.
        errors: how many of them hold an error.
    """

    part: int
    rows: int
    errors: int


class Journal:
    """A file of JSON lines: the header, then a line for each commit, the last of a part counts.

    One run at a time has it open, see `OutputLock`.

    Args:
        file: open for reading and appending.
        header: the options.
        commits: by part.
    """

    def __init__(self, file: IO[bytes], header: Header, commits: dict[int, Commit]) -> None:
        self._file = file
        self.header = header
        self.commits = commits

    @classmethod
    def create(cls, path: Path, header: Header) -> Self:
        """Begins a journal; it is there whole or not at all."""
        new = path.with_name(path.name + ".new")
        file = new.open("w+b")
        _append(file, header)
        new.replace(path)
        sync_folder(path.parent)
        return cls(file, header, {})

    @classmethod
    def open(cls, path: Path) -> Self:
        """Opens a journal to go on with.

        Raises:
            WrongOption: if it is not a journal.
        """
        file = path.open("a+b")
        file.seek(0)
        text = file.read()
        # A crash can leave half a line at the end; what it told of did not happen.
        whole = text[: text.rfind(b"\n") + 1]
        file.truncate(len(whole))
        try:
            header, *commits = (json.loads(line) for line in whole.splitlines())
            found = {values["part"]: Commit(**values) for values in commits}
        except (ValueError, KeyError, TypeError) as error:
            file.close()
            raise WrongOption(
                "--output", f"{path} is not a journal of this program", "choose another --output"
            ) from error
        return cls(file, header, found)

    def append(self, commit: Commit) -> None:
        """Notes a commit; it is on disk when this returns."""
        _append(self._file, {"part": commit.part, "rows": commit.rows, "errors": commit.errors})
        self.commits[commit.part] = commit

    def close(self) -> None:
        """Closes the file."""
        self._file.close()


def differences(begun: Header, now: Header) -> list[str]:
    """What differs between two headers, each as `name: then ..., now ...`.

    Inputs that are written otherwise and mean the same do not differ.
    """
    return [
        f"{name}: then {begun.get(name)!r}, now {now.get(name)!r}"
        for name in {**begun, **now}
        if begun.get(name) != now.get(name) and not (name == "inputs" and _mean_same(begun, now))
    ]


def _mean_same(begun: Header, now: Header) -> bool:
    then, since = begun.get("inputs"), now.get("inputs")
    if not isinstance(then, list) or not isinstance(since, list):
        return False
    return [absolute(str(one)) for one in then] == [absolute(str(one)) for one in since]


def sync_folder(folder: Path) -> None:
    """Makes renames in a folder outlast a crash of the machine."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _append(file: IO[bytes], values: Mapping[str, Any]) -> None:
    file.write(json.dumps(values).encode() + b"\n")
    file.flush()
    os.fsync(file.fileno())
