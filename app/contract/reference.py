"""What photos looked like when a model was exported: live ones are compared with it.

A signal is a few figures of each photo, such as whether its best score is in a bin of a histogram.
Of a window of photos their means are compared with those of the reference, each in standard
deviations over the reference's photos; the signal's value is the root mean square of that.
"""

from bisect import bisect_right
from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PositiveInt, model_validator

from app.contract.precision import Precision
from app.contract.strict import Strict

Signal = Literal["score", "classes", "size", "exposure", "embedding", "gates"]
"""`score`: histogram of the best class's score. `classes`: their shares. `size`: histogram of the
crop's size in pixels. `exposure`: see `app.contract.exposure`. `embedding`: each of its numbers.
`gates`: mean of each SE block's gates."""
SAMPLED: frozenset[Signal] = frozenset({"exposure", "embedding", "gates"})
"""Signals that are read of one batch in eight only."""
SAMPLED_SHARE = 8
WINDOWS = (64, 1024)
"""Images of a window; the second is a multiple of the first."""
SCORE_EDGES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
"""Where one bin of `score` ends and the next begins."""
SIZE_EDGES = (64, 128, 256, 512, 1024, 2048)
"""The same of `size`: the square root of the crop's area, in pixels."""
Number = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class SignalReference(Strict):
    """One signal over the reference's photos."""

    mean: tuple[Number, ...]
    """Of each figure; of a histogram's, the share of its bin."""
    spread: tuple[Positive, ...]
    """The standard deviation of each figure over the photos."""
    thresholds: tuple[Positive, Positive]
    """For the shorter and the longer window, the largest mean square difference that photos like
    these have by chance, but for one window in a thousand, as a multiple of its mean."""

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        if not self.mean or len(self.mean) != len(self.spread):
            raise ValueError("mean and spread differ in their length")
        return self

    def difference(self, mean: NDArray[np.float64]) -> float:
        """The root mean square difference of a window's means, in standard deviations."""
        own, spread = self._arrays
        return float(np.sqrt(np.mean(((mean - own) / spread) ** 2)))

    def threshold(self, window: int, photos: int, fitted: int) -> float:
        """The largest difference that is ascribed to chance.

        Args:
            window: images of the window, one of `WINDOWS`.
            photos: how many of them the signal was read of.
            fitted: photos of the reference.
        """
        return float(np.sqrt(self.thresholds[WINDOWS.index(window)] * (1 / photos + 1 / fitted)))

    @cached_property
    def _arrays(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        return np.array(self.mean), np.array(self.spread)


class Reference(Strict):
    """What the photos of the export looked like to the model."""

    dataset: str
    images: PositiveInt
    """Photos that the network was not trained on."""
    expected_score: dict[Precision, Annotated[float, Field(ge=0, le=1)]]
    """Their best class's score on the mean; calibrated, an estimate of the accuracy."""
    signals: Annotated[dict[Precision, dict[Signal, SignalReference]], Field(min_length=1)]

    def of(self, precision: Precision) -> Mapping[Signal, SignalReference]:
        """The signals as a precision sees them."""
        return self.signals[precision]


def mean_gates(excitation: NDArray[np.float32]) -> NDArray[np.float32]:
    """[n], the mean over the channels of a block's gates [n, channels]."""
    return np.asarray(excitation.reshape(len(excitation), -1).mean(axis=1))


def bin_of(value: float, edges: tuple[float, ...]) -> int:
    """The bin of a histogram that a value belongs to, from 0."""
    return bisect_right(edges, value)
