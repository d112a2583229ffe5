"""The output: parts that are there whole or not at all, and what becomes of them at the end."""

import os
import shutil
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from senet_client.score.failures import ScoreError, Stopped, WrongOption
from senet_client.score.formats import FORMATS, Format
from senet_client.score.frozen import FrozenList
from senet_client.score.inputs import Input
from senet_client.score.journal import Commit, Header, Journal, differences, sync_folder
from senet_client.score.rows import ERROR_CODE, INDEX, Column, Row
from senet_client.score.target import JOURNAL, LIST, Target
from senet_client.score.upload import upload


class Output:
    """An output under way.

    Args:
        target: where it goes.
        journal: what is committed.
        form: reads and writes parts.
        columns: of the rows.
    """

    def __init__(
        self, target: Target, journal: Journal, form: Format, columns: Sequence[Column]
    ) -> None:
        self.target = target
        self.journal = journal
        self._format = form
        self._columns = columns

    @classmethod
    def begin(
        cls,
        target: Target,
        header: Header,
        inputs: Iterable[Input],
        columns: Sequence[Column],
    ) -> "Output":
        """Freezes the list of inputs and begins a journal. To be called under the lock."""
        writer = FORMATS[target.format]()
        frozen = FrozenList(target.folder / LIST)
        try:
            with stopping("the output cannot be begun"):
                target.folder.mkdir(parents=True, exist_ok=True)
                frozen.freeze(inputs)
                journal = Journal.create(target.folder / JOURNAL, header)
        except ScoreError:
            with suppress(OSError, WrongOption):
                target.clear()
            raise
        return cls(target, journal, writer, columns)

    @classmethod
    def resume(
        cls,
        target: Target,
        header: Header,
        columns: Sequence[Column],
        is_there: Callable[[Path], bool] = Path.is_file,
    ) -> "Output":
        """Goes on with an output. To be called under the lock.

        Parts that are gone are done again.

        Args:
            target: where it goes.
            header: the options now.
            columns: of the rows.
            is_there: whether a part has been written, by the file that it would be here.

        Raises:
            WrongOption: if it was begun with another model or other options, or cannot be gone on
                with.
        """
        writer = FORMATS[target.format]()
        journal = Journal.open(target.folder / JOURNAL)
        different = differences(journal.header, header)
        if different:
            journal.close()
            raise WrongOption(
                "--resume",
                f"{target.path} was begun otherwise ({'; '.join(different)})",
                "repeat the first command, or start over with --overwrite",
            )
        output = cls(target, journal, writer, columns)
        if not output.inputs.path.is_file():
            journal.close()
            raise WrongOption(
                "--resume",
                f"{output.inputs.path}, the list of inputs, is gone",
                "start over with --overwrite",
            )
        for part in list(journal.commits):
            if not is_there(output.part_path(part)):
                del journal.commits[part]
        return output

    @property
    def errors(self) -> int:
        """Committed rows that hold an error."""
        return sum(commit.errors for commit in self.journal.commits.values())

    @property
    def rows(self) -> int:
        """Committed rows."""
        return sum(commit.rows for commit in self.journal.commits.values())

    @property
    def inputs(self) -> FrozenList:
        """The list of inputs."""
        return FrozenList(self.target.folder / LIST)

    def failed_rows(self, part: int) -> tuple[list[Row], set[int]]:
        """A committed part's good rows, and the indices of those that hold an error."""
        return split_rows(self.part_path(part), self._format, self._columns)

    def commit(self, part: int, rows: list[Row]) -> None:
        """Puts a part on disk, whole or not at all, and notes it.

        Args:
            part: its number; a part of that number is replaced.
            rows: in the order of their index.

        Raises:
            Stopped: if the disk does not take it.
        """
        errors = write_part(self.part_path(part), self._format, self._columns, rows)
        with stopping("the journal cannot be written"):
            self.journal.append(Commit(part, len(rows), errors))

    def finish(self) -> None:
        """Makes an output file of the parts. Where all rows are good, the parts are removed.

        An output that is a URL is copied there, and leaves nothing here then.
        """
        target = self.target
        if target.is_file:
            new = target.path.with_name(f".{target.path.name}.new")
            with stopping("the parts cannot be merged", new):
                self._format.merge(
                    (self.part_path(part) for part in sorted(self.journal.commits)), new
                )
                _publish(new, target.path)
        for scrap in target.folder.glob(".part-*"):  # of runs that were killed
            scrap.unlink()
        if target.url is not None:
            parts = [self.part_path(part) for part in sorted(self.journal.commits)]
            files = [target.path] if target.is_file else parts
            upload(files, target.url, is_file=target.is_file)
            if target.is_file:
                target.path.unlink()
        self.close()
        if (target.is_file or target.url is not None) and not self.errors:
            shutil.rmtree(target.folder)

    def close(self) -> None:
        """Closes the journal. What is committed stands."""
        self.journal.close()

    def part_path(self, part: int) -> Path:
        """The file of a part."""
        return self.target.folder / f"part-{part:06}.{self.target.format}"


def split_rows(path: Path, form: Format, columns: Sequence[Column]) -> tuple[list[Row], set[int]]:
    """A part's good rows, and the indices of those that hold an error.

    Raises:
        Stopped: if it cannot be read.
    """
    try:
        rows = form.read(path, columns)
    except Exception as error:  # of three formats' readers
        raise Stopped(f"{path} is damaged ({error}); remove it, and it is done again") from error
    good = [row for row in rows if row[ERROR_CODE] is None]
    return good, {int(str(row[INDEX])) for row in rows if row[ERROR_CODE] is not None}


@contextmanager
def stopping(what: str, half: Path | None = None) -> Iterator[None]:
    """Turns the disk's errors within a `with` block into `Stopped`, and removes a half file.

    Args:
        what: what cannot be done.
        half: the file that may have been half written.
    """
    try:
        yield
    except OSError as error:
        if half is not None:
            half.unlink(missing_ok=True)
        raise Stopped(f"{what}: {error.strerror or error}") from error


def write_part(path: Path, form: Format, columns: Sequence[Column], rows: list[Row]) -> int:
    """Puts a part on disk, whole or not at all.

    Args:
        path: the part's file; one that is there is replaced.
        form: writes it.
        columns: of the rows.
        rows: in the order of their index.

    Returns:
        How many of the rows hold an error.

    Raises:
        Stopped: if the disk does not take it.
    """
    # Whoever writes the same part meanwhile (a worker believed dead) has a name of its own.
    new = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    with stopping("the output cannot be written", new):
        form.write(new, columns, rows)
        _publish(new, path)
    return sum(row[ERROR_CODE] is not None for row in rows)


def _publish(new: Path, path: Path) -> None:
    with new.open("rb") as file:
        os.fsync(file.fileno())
    new.replace(path)
    sync_folder(path.parent)
