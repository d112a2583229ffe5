"""Which photos are too unlike those of the export for an answer to mean anything."""

from collections.abc import Sequence
from functools import cached_property
from typing import Annotated, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PositiveInt, model_validator

from app.contract.precision import Precision
from app.contract.strict import Strict

REASON = "unlike the training photos"
"""What an answer says of a photo that is rejected."""
Number = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
# What keeps the logarithm finite: for distances in squared units of the embedding, for doubts.
_LEAST_DISTANCE = 1e-9
_LEAST_DOUBT = 1e-3
# How much the doubt counts beside the distance; measured in docs/trust.md.
_DOUBT_WEIGHT = 0.5


class RejectRule(Strict):
    """What is normal in one precision, and how far from it is too far.

    Distance and doubt are logarithms, standardised by their mean and standard deviation over the
    photos that the rule was fitted to.
    """

    distance_mean: Number
    distance_spread: Positive
    doubt_mean: Number
    doubt_spread: Positive
    threshold: Number
    """The largest distance + doubt / 2 that is accepted, in standard deviations."""

    def strangeness(
        self, distance: NDArray[np.float64], doubt: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """[n], how far photos are from normal, in standard deviations."""
        far = (distance - self.distance_mean) / self.distance_spread
        unsure = (doubt - self.doubt_mean) / self.doubt_spread
        return np.asarray(far + _DOUBT_WEIGHT * unsure)


class Reject(Strict):
    """What is rejected, fitted at export."""

    dataset: str
    images: PositiveInt
    """Photos that it was fitted to, which the network was not trained on."""
    rate: Annotated[float, Field(gt=0, lt=1)]
    """Share of them that is rejected: the rate of false alarms."""
    mean: tuple[Number, ...]
    """[dim], of the photos' embeddings."""
    directions: tuple[tuple[Number, ...], ...]
    """[k][dim], orthonormal, those in which embeddings vary most. What is left of an embedding
    outside of them is its distance, as in ViM (Wang et al. 2022, section 4.1)."""
    least_contrast: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    """Standard deviation of the levels, in grey levels, below which a photo is rejected."""
    rules: Annotated[dict[Precision, RejectRule], Field(min_length=1)]

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        if not self.mean or any(len(own) != len(self.mean) for own in self.directions):
            raise ValueError("mean and directions differ in their length")
        return self

    def rejected(
        self,
        precision: Precision,
        embeddings: NDArray[np.float32],
        best_scores: Sequence[float],
        contrast: NDArray[np.float64],
    ) -> NDArray[np.bool_]:
        """Whether each photo of a batch is rejected.

        Args:
            precision: of what serves.
            embeddings: [n, dim].
            best_scores: [n], of the best classes.
            contrast: [n], in grey levels.

        Returns:
            bool [n].
        """
        rule = self.rules[precision]
        strangeness = rule.strangeness(self.distances(embeddings), doubts(best_scores))
        # Written so that NaN, which compares false, is rejected.
        accepted = strangeness <= rule.threshold
        accepted &= contrast >= self.least_contrast
        return ~accepted

    def distances(self, embeddings: NDArray[np.float32]) -> NDArray[np.float64]:
        """[n], the logarithm of what is left of embeddings outside of the directions."""
        mean, directions = self._arrays
        return distances(embeddings, mean, directions)

    @cached_property
    def _arrays(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        directions = np.array(self.directions, np.float32).reshape(-1, len(self.mean))
        return np.array(self.mean, np.float32), directions


def distances(
    embeddings: NDArray[np.float32], mean: NDArray[np.float32], directions: NDArray[np.float32]
) -> NDArray[np.float64]:
    """[n], the logarithm of the squared norm of embeddings outside of some directions.

    Args:
        embeddings: [n, dim].
        mean: [dim], taken off them.
        directions: [k, dim], orthonormal.
    """
    with np.errstate(all="ignore"):  # what has overflowed stays so
        centred = embeddings - mean
        inside = centred @ directions.T
        left = np.vecdot(centred, centred) - np.vecdot(inside, inside)
        return np.asarray(np.log(np.maximum(left.astype(np.float64), _LEAST_DISTANCE)))


def doubts(best_scores: Sequence[float]) -> NDArray[np.float64]:
    """[n], the logarithm of what the best class leaves to others."""
    return np.log(1.0 - np.asarray(best_scores, np.float64) + _LEAST_DOUBT)
