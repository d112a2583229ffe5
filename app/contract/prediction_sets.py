"""Prediction sets that hold the true class with a stated probability: split conformal prediction.

Angelopoulos and Bates, "A Gentle Introduction to Conformal Prediction" (2021), section 1. The
nonconformity of a class grows with its rank, so a set is always the beginning of the ranking.
"""

import bisect
from typing import Annotated, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PositiveInt, model_validator

from app.contract.precision import Precision
from app.contract.strict import Strict

Method = Literal["lac", "raps"]
LOWEST, HIGHEST = 0.5, 0.999
"""The coverages that may be asked for."""
Coverage = Annotated[float, Field(ge=LOWEST, le=HIGHEST)]
_Finite = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class CoverageTooHigh(ValueError):
    """More coverage than the number of photos allows that sets were fitted on."""


class SetRule(Strict):
    """Which classes belong into the set, for one precision."""

    method: Method
    """`lac`: a class's nonconformity is 1 - its score (Sadinle et al. 2019). `raps`: the sum of the
    scores down to it, and a penalty for its rank (Angelopoulos et al. 2021, without randomness)."""
    penalty: _Finite = 0.0
    """Of `raps`: added for each rank beyond the free ones."""
    free_ranks: Annotated[int, Field(ge=0)] = 0
    """Of `raps`: how many ranks have no penalty."""
    thresholds: tuple[_Finite, ...]
    """The largest nonconformity in a set, for each level of coverage."""

    def nonconformity(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Of each class.

        Args:
            scores: [..., classes], falling.

        Returns:
            The same shape; never falling along the classes.
        """
        if self.method == "lac":
            return 1.0 - scores
        ranks = np.arange(1, scores.shape[-1] + 1)
        penalties = self.penalty * np.maximum(0, ranks - self.free_ranks)
        return np.asarray(np.cumsum(scores, axis=-1) + penalties)

    def size(self, scores: NDArray[np.float64], threshold: float) -> int:
        """How many classes are in the set; it may be empty.

        Args:
            scores: [classes], falling.
            threshold: of the coverage, see `PredictionSets.threshold`.
        """
        return int(np.searchsorted(self.nonconformity(scores), threshold, side="right"))


class PredictionSets(Strict):
    """Sets for any coverage that the photos allow, fitted at export."""

    dataset: str
    images: PositiveInt
    """Photos that they were fitted on, which the network was not trained on."""
    levels: Annotated[tuple[Coverage, ...], Field(min_length=1)]
    """Coverages whose thresholds are known, rising."""
    rules: Annotated[dict[Precision, SetRule], Field(min_length=1)]

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        if any(high <= low for low, high in zip(self.levels, self.levels[1:], strict=False)):
            raise ValueError("levels must rise")
        for precision, rule in self.rules.items():
            if len(rule.thresholds) != len(self.levels):
                raise ValueError(f"{precision} must have one threshold per level")
            if list(rule.thresholds) != sorted(rule.thresholds):
                raise ValueError(f"the thresholds of {precision} must not fall")
        return self

    def threshold(self, precision: Precision, coverage: float) -> float:
        """The threshold of the lowest level that is not lower than the coverage asked for.

        Raises:
            CoverageTooHigh: if there is none.
        """
        index = bisect.bisect_left(self.levels, coverage)
        if index == len(self.levels):
            raise CoverageTooHigh(
                f"{coverage:g} is more than the {self.images} photos allow that the sets were"
                f" fitted on; at most {self.levels[-1]:g}"
            )
        return self.rules[precision].thresholds[index]
