"""What was measured, as tables for readers and as JSON for programs."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

Cell = str | float | None


@dataclass(frozen=True)
class Table:
    """One table.

    Attributes:
        title: what it shows.
        note: how it was measured.
        columns: their heads.
        rows: a cell for each column; None where nothing was measured.
    """

    title: str
    note: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[Cell, ...]]


@dataclass
class Report:
    """All that one run of the benchmark found.

    Attributes:
        machine: what `tools.bench.machine.describe` says.
        command: the command line.
        tables: for readers, in order.
        figures: medians by `<model>/<quantity>/<contender>`.
        rounds: the values behind the medians, by the same names.
        mistakes: answers that were not a success; a report with any proves nothing.
    """

    machine: dict[str, str]
    command: str
    tables: list[Table] = field(default_factory=list)
    figures: dict[str, float] = field(default_factory=dict)
    rounds: dict[str, list[float]] = field(default_factory=dict)
    mistakes: list[str] = field(default_factory=list)

    def markdown(self) -> str:
        """The whole report as Markdown."""
        machine = ", ".join(f"{name} {value}" for name, value in self.machine.items())
        parts = [f"`{self.command}`\n\n{machine}"]
        if self.mistakes:
            parts.append("**Not valid:** " + "; ".join(self.mistakes))
        return "\n\n".join([*parts, *map(markdown, self.tables)]) + "\n"

    def write(self, folder: Path) -> None:
        """Writes `bench.md` and `bench.json`."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "bench.md").write_text(self.markdown())
        (folder / "bench.json").write_text(json.dumps(asdict(self), indent=1) + "\n")


def markdown(table: Table) -> str:
    """One table as Markdown; numbers stand on the right."""
    numeric = [
        all(not isinstance(row[place], str) for row in table.rows)
        for place in range(len(table.columns))
    ]
    lines = [
        table.columns,
        tuple("---:" if right else "---" for right in numeric),
        *(tuple(map(text, row)) for row in table.rows),
    ]
    body = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    return f"### {table.title}\n\n{table.note}\n\n{body}"


def text(cell: Cell) -> str:
    """A cell as text: three significant digits, but never fewer than a number's whole part."""
    if cell is None:
        return "-"
    if isinstance(cell, str):
        return cell
    size = abs(cell)
    digits = 0 if size >= 100 else 1 if size >= 10 else 2
    return f"{cell:,.{digits}f}"
