"""Pairs of trainings, with SE blocks and without, that differ in nothing else but their seeds.

One pair says little: two networks that were trained alike disagree on more photos than the gain
that is looked for. Over several seeds the mean difference has an interval.
"""

import json
import math
import statistics
from collections.abc import Iterator, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from app.contract.errors import ConfigurationError

# 97.5 % quantiles of Student's t, by degrees of freedom.
_T = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)


class Figure(BaseModel):
    """What one training reached on the validation photos after its last epoch."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    seed: int
    architecture: str
    top1: float
    top5: float
    top1_frozen: float | None
    """With every gate frozen to its mean over the photos; None without gates."""
    spread: dict[str, float]
    """Of each block's gates over the photos; empty without gates."""
    seconds: float
    """That the training took."""


class Interval(BaseModel):
    """A mean over pairs and its 95 % interval."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    pairs: int
    mean: float
    low: float
    high: float


def read(file: Path) -> list[Figure]:
    """The figures in a JSON-lines file; none if it is not there.

    Raises:
        ConfigurationError: if a line is not a figure.
    """
    if not file.exists():
        return []
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
        return [Figure.model_validate_json(line) for line in lines]
    except ValueError as error:
        raise ConfigurationError("--figures", f"{file} is malformed", "correct it") from error


def append(file: Path, figure: Figure) -> None:
    """Adds a line to the file."""
    with file.open("a", encoding="utf-8") as lines:
        lines.write(json.dumps(figure.model_dump()) + "\n")


def missing(
    figures: Sequence[Figure], architecture: str, seeds: Sequence[int]
) -> Iterator[tuple[int, str]]:
    """The trainings that no figure tells of, pair by pair: (seed, architecture)."""
    done = {(figure.seed, figure.architecture) for figure in figures}
    for seed in seeds:
        for name in (architecture, architecture.removeprefix("se_")):
            if (seed, name) not in done:
                yield seed, name


def gain(figures: Sequence[Figure], architecture: str) -> Interval | None:
    """Top-1 of SE less that of its plain twin, over the seeds that have both.

    Returns:
        The mean in points and its 95 % interval by Student's t; None of fewer than two pairs.
    """
    plain = architecture.removeprefix("se_")
    top1 = {(figure.seed, figure.architecture): figure.top1 for figure in figures}
    differences = [
        100 * (value - top1[seed, plain])
        for (seed, name), value in top1.items()
        if name == architecture and (seed, plain) in top1
    ]
    if len(differences) < 2:
        return None
    mean = statistics.fmean(differences)
    half = (
        _T[min(len(differences) - 2, len(_T) - 1)]
        * statistics.stdev(differences)
        / math.sqrt(len(differences))
    )
    return Interval(pairs=len(differences), mean=mean, low=mean - half, high=mean + half)
