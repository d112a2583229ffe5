"""Reports that grow as they are measured: time on a card is short, and a step may be cut off."""

from pathlib import Path

from tools.bench.report import Cell, text


class Notes:
    """A Markdown file to which lines are added at once, and shown.

    Args:
        file: begun anew.
        title: its heading.
    """

    def __init__(self, file: Path, title: str) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self._file = file
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
