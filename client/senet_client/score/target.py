"""Where an output goes, and what is there already."""

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

from senet_client.score import upload
from senet_client.score.failures import WrongOption
from senet_client.score.formats import SUFFIXES

JOURNAL = "_journal.jsonl"
"""The journal's file in an output's folder."""

LIST = "_inputs.jsonl"
"""The frozen list of inputs beside it."""


LOCK = "_lock"
"""The file that is locked while a run is under way."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where the output goes, and as what.

    Attributes:
        path: the file, or the folder of parts.
        folder: where parts, journal and list of inputs are: the output folder itself, or
            `<file>.parts` beside an output file.
        format: csv, jsonl or parquet.
        url: where the finished output is copied to; None if it stays here.
    """

    path: Path
    folder: Path
    format: str
    url: str | None = None

    @classmethod
    def of(cls, output: str, format_name: str | None, work: str = ".") -> "Target":
        """Reads `--output`, `--format` and `--work`.

        Raises:
            WrongOption: if they do not go together.
        """
        if "://" in output:
            # The same name for the same URL, so that a run goes on; another for every other.
            name = output.rstrip("/").rpartition("/")[2]
            mark = hashlib.sha256(output.encode()).hexdigest()[:8]
            here = cls.of(str(Path(work) / f"{mark}-{name}"), format_name)
            return replace(here, url=output.rstrip("/"))
        path = Path(output)
        by_suffix = SUFFIXES.get(path.suffix.lower())
        if path.is_dir() or not path.suffix:
            return cls(path, path, format_name or "parquet")
        if by_suffix is None:
            raise WrongOption(
                "--output",
                f"{output} ends in none of {', '.join(SUFFIXES)}",
                "end a file's name so, name a folder without a suffix, or make the folder first",
            )
        if format_name not in (None, by_suffix):
            raise WrongOption(
                "--format", f"{format_name} and {output} contradict each other", "drop one of them"
            )
        return cls(path, path.with_name(path.name + ".parts"), by_suffix)

    @property
    def shown(self) -> str:
        """Where a person finds the output."""
        return self.url or str(self.path)

    @property
    def is_file(self) -> bool:
        """Whether the output is one file."""
        return self.path != self.folder

    @property
    def is_begun(self) -> bool:
        """Whether a run has begun to write parts."""
        return (self.folder / JOURNAL).is_file()

    @property
    def is_taken(self) -> bool:
        """Whether there is anything that a new run would overwrite."""
        if self.url is not None and upload.is_there(self.url, is_file=self.is_file):
            return True
        if self.is_file and self.path.exists():
            return True
        return self.folder.exists() and (
            not self.folder.is_dir()
            or any(name not in (LOCK, *_scraps()) for name in _names(self.folder))
        )

    def clear(self) -> None:
        """Removes an earlier run's parts. An output file stays until the new one is complete.

        To be called under the lock, which stays.

        Raises:
            WrongOption: if the folder holds anything that no run wrote.
        """
        if not self.folder.exists():
            return
        foreign = [name for name in _names(self.folder) if not self._is_ours(name)]
        if foreign:
            raise WrongOption(
                "--overwrite",
                f"{self.folder} also holds {foreign[0]}, which is not of a scoring run",
                "choose another --output or empty it yourself",
            )
        # The journal last: until then the run can be resumed.
        for name in sorted(_names(self.folder), key=lambda name: name == JOURNAL):
            if name != LOCK:
                (self.folder / name).unlink()

    def _is_ours(self, name: str) -> bool:
        return name in (JOURNAL, LOCK) or name in _scraps() or name.startswith(("part-", ".part-"))


def _names(folder: Path) -> list[str]:
    return [child.name for child in folder.iterdir()]


def _scraps() -> tuple[str, str, str]:
    """What a run leaves that was killed before it began its journal."""
    return (LIST, LIST + ".new", JOURNAL + ".new")
