"""What may be chance in figures that were measured on a number of photos."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Standard deviations on either side of 95 % of a normal distribution.
_Z = 1.96


def interval(share: float, count: int) -> tuple[float, float]:
    """The 95 % interval of a share that was seen on `count` photos (Wilson 1927)."""
    square = _Z**2 / count
    centre = (share + square / 2) / (1 + square)
    half = _Z * math.sqrt(share * (1 - share) / count + square / (4 * count)) / (1 + square)
    return max(0.0, centre - half), min(1.0, centre + half)


@dataclass(frozen=True)
class Flips:
    """The same photos, classified by two networks.

    Attributes:
        lost: photos that only the first has right.
        gained: photos that only the second has right.
        photos: how many there are.
    """

    lost: int
    gained: int
    photos: int

    @property
    def drop(self) -> float:
        """Share of photos that the second has fewer right."""
        return (self.lost - self.gained) / self.photos

    @property
    def half_width(self) -> float:
        """The 95 % interval is the drop, more or less this."""
        both = self.lost + self.gained - (self.lost - self.gained) ** 2 / self.photos
        return _Z * math.sqrt(both) / self.photos

    @property
    def beyond_chance(self) -> bool:
        """Whether the second is worse, rather than unlucky on these photos (McNemar 1947)."""
        return self.lost - self.gained > _Z * math.sqrt(self.lost + self.gained)

    def __str__(self) -> str:
        change = 100 * (self.gained - self.lost) / self.photos
        return f"{change:+.2f} ± {100 * self.half_width:.2f} points"


def flips(
    first: NDArray[np.float32], second: NDArray[np.float32], targets: NDArray[np.int64]
) -> Flips:
    """Compares logits [n, classes] of two networks for photos of known classes [n]."""
    right, also = first.argmax(1) == targets, second.argmax(1) == targets
    return Flips(int((right & ~also).sum()), int((also & ~right).sum()), len(targets))


@dataclass(frozen=True)
class Skill:
    """Accuracy beside what it would be if the answers had nothing to do with the photos.

    Attributes:
        top1: share of photos that are classified right.
        by_chance: the share if answers as frequent as these were shuffled over the photos
            (Cohen 1960).
        photos: how many there are.
    """

    top1: float
    by_chance: float
    photos: int

    @property
    def shown(self) -> bool:
        """Whether top-1 is beyond what chance gives on so many photos."""
        deviation = math.sqrt(self.by_chance * (1 - self.by_chance) / self.photos)
        return self.top1 - self.by_chance > _Z * deviation


def skill(logits: NDArray[np.float32], targets: NDArray[np.int64]) -> Skill | None:
    """Judges logits [n, classes] of photos of known classes [n]; None if they are of one class."""
    if len(np.unique(targets)) == 1:
        return None
    answers = logits.argmax(1)
    shares = [np.bincount(values, minlength=logits.shape[1]) for values in (answers, targets)]
    by_chance = float((shares[0] * shares[1]).sum()) / len(targets) ** 2
    return Skill(float((answers == targets).mean()), by_chance, len(targets))
