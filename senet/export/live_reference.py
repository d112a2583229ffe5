"""What photos look like to a model, and how much that varies by chance."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from app.contract.reference import (
    SAMPLED,
    SAMPLED_SHARE,
    SCORE_EDGES,
    SIZE_EDGES,
    WINDOWS,
    Signal,
    SignalReference,
)

Figures = NDArray[np.float64]
"""[n, figures]: of one signal, of each photo."""
HISTOGRAMS: frozenset[Signal] = frozenset({"score", "classes", "size"})
_WINDOWS_DRAWN = 1000
_QUANTILE = 0.999
# Photos that are drawn from; more would only take longer.
_MOST_KINDS = 5000
_DIGITS = 7


def figures(
    scores: NDArray[np.float64],
    crops: NDArray[np.float64],
    exposures: NDArray[np.float64],
    embeddings: NDArray[np.float32] | None,
    gates: NDArray[np.float32] | None,
) -> dict[Signal, Figures]:
    """Each signal's figures of photos.

    Args:
        scores: [n, classes].
        crops: [n], the square root of the crop's area, in pixels.
        exposures: see `app.contract.exposure`.
        embeddings: [n, dim]; None if the model has none.
        gates: [n, blocks], the mean of each block's gates; None if it does not give them.
    """
    found: dict[Signal, Figures] = {
        "score": _one_hot(
            np.searchsorted(SCORE_EDGES, scores.max(axis=1), side="right"), len(SCORE_EDGES) + 1
        ),
        "classes": _one_hot(scores.argmax(axis=1), scores.shape[1]),
        "size": _one_hot(np.searchsorted(SIZE_EDGES, crops, side="right"), len(SIZE_EDGES) + 1),
        "exposure": exposures,
    }
    if embeddings is not None:
        found["embedding"] = embeddings.astype(np.float64)
    if gates is not None:
        found["gates"] = gates.astype(np.float64)
    return found


def signal_references(of_photos: Mapping[Signal, Figures]) -> dict[Signal, SignalReference]:
    """The manifest's entries of the signals."""
    return {signal: _reference(signal, own) for signal, own in of_photos.items()}


def _reference(signal: Signal, own: Figures) -> SignalReference:
    mean, spread = own.mean(axis=0), own.std(axis=0)
    if signal in HISTOGRAMS:
        # As if each bin had been met once more: none is impossible (Laplace's rule).
        mean = (own.sum(axis=0) + 1) / (len(own) + own.shape[1])
        spread = np.sqrt(mean * (1 - mean))
    # A number of the embedding may be zero for all photos of the fit, and not for others.
    spread = np.maximum(spread, max(1e-6, 1e-3 * float(spread.mean())))
    if signal in HISTOGRAMS:
        kinds, chances = np.diag(1 / spread), mean
    else:
        step = -(-len(own) // _MOST_KINDS)
        kinds = ((own - mean) / spread)[::step]
        chances = np.full(len(kinds), 1 / len(kinds))
    short, long = (
        _threshold(
            kinds, chances, window // SAMPLED_SHARE if signal in SAMPLED else window, len(own)
        )
        for window in WINDOWS
    )
    return SignalReference(
        mean=tuple(_short(mean)), spread=tuple(_short(spread)), thresholds=(short, long)
    )


def _threshold(kinds: Figures, chances: Figures, seen: int, fitted: int) -> float:
    """The quantile of what windows differ by from a reference, both of photos like these.

    Both are drawn anew each time (the bootstrap): what the reference itself has by chance counts.

    Args:
        kinds: [kinds, figures], standardised, of the kinds of photos that are drawn from.
        chances: [kinds] of each.
        seen: photos of a window.
        fitted: photos of the reference.
    """
    generator = np.random.default_rng(0)
    ends = chances.cumsum()
    ratios = []
    for _ in range(_WINDOWS_DRAWN):
        window, reference = (
            _mean_of_drawn(generator, kinds, ends, photos) for photos in (seen, fitted)
        )
        ratios.append(float(((window - reference) ** 2).mean()) / (1 / seen + 1 / fitted))
    # Of what never varies, chance explains nothing: its mean is enough.
    return round(max(1.0, float(np.quantile(ratios, _QUANTILE))), 3)


def _mean_of_drawn(
    generator: np.random.Generator, kinds: Figures, ends: Figures, photos: int
) -> Figures:
    """[figures], the mean of so many photos, drawn with replacement."""
    drawn = np.searchsorted(ends, generator.uniform(0, ends[-1], photos), side="right")
    counts = np.bincount(drawn, minlength=len(kinds))
    return np.asarray(counts @ kinds / photos)


def _one_hot(bins: NDArray[np.int64], count: int) -> Figures:
    return np.eye(count)[bins]


def _short(values: Figures) -> list[float]:
    return [float(f"{value:.{_DIGITS}g}") for value in values]
