"""The scores of the last images, and what they say of accuracy."""

from collections import deque
from collections.abc import Iterable
from statistics import fmean

_LONGEST = 1024
_SHORTEST = 64


class ScoreWindow:
    """The best classes' scores of the last 1,024 images. For any thread.

    A calibrated score is the probability that its class is right, so their mean estimates the
    accuracy, as long as photos are like those that the scores were calibrated on.
    """

    def __init__(self) -> None:
        # Each of its methods is one step for all threads, copying included.
        self._scores: deque[float] = deque(maxlen=_LONGEST)

    def add(self, scores: Iterable[float]) -> None:
        """Further images; the oldest leave."""
        self._scores.extend(scores)

    def estimated_accuracy(self) -> float:
        """The mean score; not a number while there are fewer than 64 images."""
        scores = self._scores.copy()
        return fmean(scores) if len(scores) >= _SHORTEST else float("nan")
