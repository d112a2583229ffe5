"""Two classifiers side by side on the same photos: agreement, gains, losses, and what flipped."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.contract.manifest import Label
from senet.export.chance import flips


@dataclass(frozen=True)
class Answers:
    """What one classifier said of the photos.

    Attributes:
        name: of the classifier.
        logits: float32 [photos, classes], its classes in the order of the photos' labels.
    """

    name: str
    logits: NDArray[np.float32]

    @property
    def classes(self) -> NDArray[np.int64]:
        """int64 [photos], index of the class with the largest logit."""
        largest: NDArray[np.int64] = self.logits.argmax(axis=1)
        return largest


def compare(
    first: Answers,
    second: Answers,
    files: Sequence[Path],
    targets: NDArray[np.int64],
    labels: Sequence[Label],
) -> list[str]:
    """Lines of Markdown.

    Args:
        first: the one that is there.
        second: the one that may replace it.
        files: the photos.
        targets: int64 [photos], index of each photo's class.
        labels: the classes.
    """
    one, two = first.classes, second.classes
    right, also = one == targets, two == targets
    changed = flips(first.logits, second.logits, targets)
    lines = [
        f"# {second.name} against {first.name}",
        "",
        f"- Photos: {len(files)}",
        f"- Same class on {(one == two).mean():.2%} of them",
        (
            f"- Top-1: {right.mean():.2%}, then {also.mean():.2%}: {changed} with 95 % confidence"
            f" ({changed.gained} gained, {changed.lost} lost)"
        ),
        "",
        "| class | photos | top-1 before | after | gained | lost |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for label in labels:
        of_class = targets == label.index
        if not of_class.any():
            continue
        gained = int((of_class & also & ~right).sum())
        lost = int((of_class & right & ~also).sum())
        lines.append(
            f"| {label.name} | {of_class.sum()} | {right[of_class].mean():.2%} |"
            f" {also[of_class].mean():.2%} | {gained} | {lost} |"
        )
    lines += ["", "| photo | class | before | after |", "| --- | --- | --- | --- |"]
    for index in map(int, np.flatnonzero(one != two)):
        names = [labels[int(entry)].name for entry in (targets[index], one[index], two[index])]
        photo = f"{files[index].parent.name}/{files[index].name}"
        lines.append(f"| {photo} | {' | '.join(names)} |")
    return lines
