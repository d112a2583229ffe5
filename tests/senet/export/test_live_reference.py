import numpy as np
import pytest
from numpy.typing import NDArray

from app.contract.reference import Signal, SignalReference
from senet.export.live_reference import figures, signal_references


def references(count: int = 2000, seed: int = 0) -> dict[Signal, SignalReference]:
    return signal_references(drawn(count, seed))


def drawn(count: int, seed: int) -> dict[Signal, NDArray[np.float64]]:
    generator = np.random.default_rng(seed)
    return figures(
        scores=generator.dirichlet(np.full(10, 0.2), count),
        crops=generator.lognormal(5, 1, count),
        exposures=generator.normal(100, 20, (count, 4)),
        embeddings=generator.gamma(1, 1, (count, 32)).astype(np.float32),
        gates=generator.uniform(0, 1, (count, 5)).astype(np.float32),
    )


def test_windows_of_the_same_photos_stay_below_the_thresholds() -> None:
    found, others = references(), drawn(64 * 100, seed=1)
    for signal, own in found.items():
        for window, photos in ((64, 8), (64, 64), (1024, 128)):
            if (photos == window) == (signal in ("exposure", "embedding", "gates")):
                continue
            blocks = others[signal][: 6400 // photos * photos].reshape(-1, photos, len(own.mean))
            above = sum(
                own.difference(block.mean(axis=0)) > own.threshold(window, photos, 2000)
                for block in blocks
            )
            assert above <= 2 + len(blocks) // 200, signal


def test_no_bin_of_a_histogram_is_impossible() -> None:
    same = signal_references(
        figures(np.eye(10)[[3] * 500], np.full(500, 224.0), np.full((500, 4), 9.0), None, None)
    )
    assert set(same) == {"score", "classes", "size", "exposure"}
    size = same["size"]
    assert min(size.mean) > 0
    assert sum(size.mean) == pytest.approx(1)
    # One odd photo in 64 is no drift, a window of them is.
    odd = np.array([0, 0, 63, 1, 0, 0, 0]) / 64
    assert size.difference(odd) < size.threshold(64, 64, 500)
    assert size.difference(np.eye(7)[3]) > size.threshold(64, 64, 500)


def test_numbers_that_never_vary_have_a_spread() -> None:
    same = signal_references(
        figures(np.eye(10)[[3] * 500], np.full(500, 224.0), np.full((500, 4), 9.0), None, None)
    )
    assert min(same["exposure"].spread) > 0
