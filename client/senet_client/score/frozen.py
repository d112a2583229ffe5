"""The list of inputs of a run, frozen in a file, and its stretches: one for each part."""

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from senet_client.score.failures import Stopped
from senet_client.score.inputs import Input


@dataclass(frozen=True, slots=True)
class Stretch:
    """The inputs of one part.

    Attributes:
        part: the part's number, from 0.
        first: the index of its first input.
        rows: how many inputs it has.
        offset: where in the file they begin, in bytes.
    """

    part: int
    first: int
    rows: int
    offset: int


class FrozenList:
    """A file with one input a line.

    Args:
        path: the file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def freeze(self, inputs: Iterable[Input]) -> None:
        """Writes the file; it is there whole or not at all."""
        new = self.path.with_name(self.path.name + ".new")
        with new.open("w", encoding="ascii") as file:
            for found in inputs:
                told = {name: value for name, value in asdict(found).items() if value is not None}
                file.write(json.dumps(told) + "\n")
            file.flush()
            os.fsync(file.fileno())
        new.replace(self.path)

    def count(self) -> int:
        """How many inputs there are."""
        with self.path.open("rb") as file:
            return sum(1 for _ in file)

    def stretches(self, rows_per_part: int) -> Iterator[Stretch]:
        """The stretches of so many inputs each, the last may have fewer."""
        first = offset = rows = size = 0
        with self.path.open("rb") as file:
            for line in file:
                if rows == rows_per_part:
                    yield Stretch(first // rows_per_part, first, rows, offset)
                    first, offset, rows, size = first + rows, offset + size, 0, 0
                rows += 1
                size += len(line)
        if rows:
            yield Stretch(first // rows_per_part, first, rows, offset)

    def read(self, stretch: Stretch) -> list[tuple[int, Input]]:
        """The inputs of a stretch, each with its index.

        Raises:
            Stopped: if the file is damaged.
        """
        try:
            with self.path.open("rb") as file:
                file.seek(stretch.offset)
                return [
                    (index, Input(**json.loads(file.readline())))
                    for index in range(stretch.first, stretch.first + stretch.rows)
                ]
        except (ValueError, TypeError) as error:
            raise Stopped(f"{self.path} is damaged ({error}); start over") from error
