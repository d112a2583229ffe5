"""Which classes a network takes for which, as tables and as a picture."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self
from xml.sax.saxutils import escape

import numpy as np
from numpy.typing import NDArray

from app.contract.manifest import Label
from senet.evaluation import Evaluation

# Wider matrices are drawn and not written.
_MOST_COLUMNS = 20
_CELL, _MARGIN, _LEGEND = 18, 150, 24


@dataclass(frozen=True)
class Confusion:
    """How often photos of each class were taken for each class.

    Attributes:
        counts: int64 [classes, classes], by true class and by answer.
        names: of the classes, by index.
    """

    counts: NDArray[np.int64]
    names: tuple[str, ...]

    @classmethod
    def of(cls, evaluation: Evaluation, labels: Sequence[Label]) -> Self:
        """Counts an evaluation's answers."""
        counts = np.zeros((len(labels), len(labels)), dtype=np.int64)
        np.add.at(counts, (evaluation.targets, evaluation.predictions), 1)
        return cls(counts, tuple(label.name for label in labels))

    def table(self) -> list[str]:
        """A line for each class that has photos, with its most frequent error."""
        lines = [
            "| class | photos | recall | precision | most often taken for |",
            "| --- | --- | --- | --- | --- |",
        ]
        said = self.counts.sum(axis=0)
        for index, row in enumerate(self.counts):
            photos, right = int(row.sum()), int(row[index])
            if not photos:
                continue
            wrong = row.copy()
            wrong[index] = 0
            other = int(wrong.argmax())
            taken = f"{_cell(self.names[other])} ({wrong[other]})" if wrong[other] else ""
            precision = f"{right / said[index]:.1%}" if said[index] else "never said"
            name = _cell(self.names[index])
            lines.append(f"| {name} | {photos} | {right / photos:.1%} | {precision} | {taken} |")
        return lines

    def matrix(self) -> list[str]:
        """Rows are true classes, columns answers; none where there are too many."""
        if len(self.names) > _MOST_COLUMNS:
            return []
        columns = " | ".join(_cell(name) for name in self.names)
        lines = [f"| true class | {columns} |", f"|{' --- |' * (len(self.names) + 1)}"]
        for name, row in zip(self.names, self.counts, strict=True):
            lines.append(f"| {_cell(name)} | {' | '.join(map(str, row))} |")
        return lines

    def picture(self) -> str:
        """An SVG document: the darker a cell, the larger its share of the true class's photos."""
        side = _CELL * len(self.names)
        width, height = side + _MARGIN, side + _LEGEND
        parts = [
            (
                f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}"'
                ' font-family="sans-serif" font-size="11">'
            ),
            f'<rect width="{width}" height="{height}" fill="white"/>',
        ]
        shares = self.counts / np.maximum(self.counts.sum(axis=1, keepdims=True), 1)
        for row, name in enumerate(self.names):
            y = row * _CELL
            parts.append(
                f'<text x="{_MARGIN - 6}" y="{y + 13}" text-anchor="end">{escape(name[:22])}</text>'
            )
            for column in np.flatnonzero(self.counts[row]):
                share, count = shares[row, column], self.counts[row, column]
                title = f"{escape(name)} as {escape(self.names[column])}: {count}"
                parts.append(
                    f'<rect x="{_MARGIN + column * _CELL}" y="{y}" width="{_CELL}" height="{_CELL}"'
                    f' fill="#0072b2" fill-opacity="{max(share, 0.04):.3f}"><title>{title}</title>'
                    "</rect>"
                )
        legend = "rows: true class; columns: answer, in the same order"
        parts.append(f'<text x="{_MARGIN}" y="{side + 16}">{legend}</text>')
        return "\n".join([*parts, "</svg>", ""])


def summary(best: Mapping[str, Any], last: Mapping[str, Any], table: Confusion) -> list[str]:
    """The report of a run.

    Args:
        best: log entry of the epoch with the best top-1.
        last: log entry of the last epoch.
        table: of the last epoch.
    """
    lines = [
        "# Training report",
        "",
        (
            f"- Last epoch, {last['epoch']}: top-1 {last['top1']:.2%}, top-5 {last['top5']:.2%}"
            " (`checkpoint.pt`)"
        ),
        (
            f"- Best epoch, {best['epoch']}: top-1 {best['top1']:.2%}, top-5 {best['top5']:.2%}"
            " (`best.pt`). It was chosen by these photos, which flatters it a little."
        ),
        "",
        "## Classes, after the last epoch",
        "",
        *table.table(),
        "",
        "## Confusion, after the last epoch",
        "",
        "![confusion matrix](confusion.svg)",
    ]
    matrix = table.matrix()
    return [*lines, "", *matrix] if matrix else lines


def _cell(name: str) -> str:
    """A name in a table of Markdown."""
    return name.replace("|", "\\|")
