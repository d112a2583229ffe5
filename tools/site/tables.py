"""Tables of Markdown."""

import re
from collections.abc import Iterable, Sequence

# Of a shape, such as [dim] or [k][dim], and not of a link.
_BRACKET = re.compile(r"\[(?![^\]]*\]\()")


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; what would end a cell is escaped."""
    lines = ["| " + " | ".join(columns) + " |", "| " + " | ".join("---" for _ in columns) + " |"]
    lines += ["| " + " | ".join(cell(text) for text in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def cell(text: str) -> str:
    """Text on one line, without bars and tags."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "\\<")


def prose(text: str) -> str:
    """A docstring's text on one line, whose shapes are not taken for references."""
    return _BRACKET.sub(r"\\[", " ".join(text.split()))
