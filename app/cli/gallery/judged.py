"""What became of one photo."""

from dataclasses import dataclass
from pathlib import Path

from app.contract.ranking import RankedClass


@dataclass(frozen=True, slots=True)
class Judged:
    """A photo that was classified.

    Attributes:
        path: the file.
        folder: which folder of the whole it lies in; empty if it lies in none.
        best: the best classes, at least one.
        truth: index of the class whose folder it lies in; None if it lies in none.
        truth_score: the score of that class, else 0.
        truth_rank: its rank from 1, else 0.
    """

    path: Path
    folder: str
    best: tuple[RankedClass, ...]
    truth: int | None = None
    truth_score: float = 0.0
    truth_rank: int = 0

    @property
    def is_mistake(self) -> bool:
        """Whether the best class is another than that of its folder."""
        return self.truth is not None and self.truth_rank != 1

    @property
    def worry(self) -> float:
        """Orders photos: mistakes by how sure they are, then the others by how unsure."""
        score = self.best[0].score
        return 1 + score - self.truth_score if self.is_mistake else 1 - score


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A photo that could not be classified.

    Attributes:
        path: the file.
        reason: why, in words.
    """

    path: Path
    reason: str


Seen = Judged | Unreadable
