"""Reports that grow as they are measured: time on a card is short, and a step may be cut off."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tools.bench.report import Cell, text

_MOST_SAID = 600


class Notes:
    """A Markdown file to which lines are added at once, and shown.

    Args:
        file: begun anew.
        title: its heading.

    Attributes:
        failures: measurements that failed.
    """

    def __init__(self, file: Path, title: str) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self._file = file
        self.failures = 0
        file.write_text("")
        self.say(f"## {title}\n")

    def say(self, line: str) -> None:
        """Adds a line."""
        with self._file.open("a") as file:
            file.write(line + "\n")
        print(line, flush=True)

    def table(self, *columns: str) -> None:
        """Begins a table."""
        self.say("\n| " + " | ".join(columns) + " |")
        self.say("|" + " --- |" * len(columns))

    def row(self, *cells: Cell) -> None:
        """Adds a row to the table that was begun last."""
        self.say("| " + " | ".join(map(text, cells)) + " |")

    @contextmanager
    def attempt(self, what: str) -> Iterator[None]:
        """A measurement whose failure is written down, and does not take the time of the next."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - it is written down
            self.failures += 1
            said = re.sub(r"\s+", " ", f"{type(error).__name__}: {error}")[-_MOST_SAID:]
            self.say(f"\n**failed:** {what}: {said}\n")
