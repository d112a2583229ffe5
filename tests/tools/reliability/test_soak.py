"""When a soak counts as flat."""

import random

import pytest

from tools.reliability.soak import Sample, report, slope


def samples(mib_per_10_000: float, *, files: int = 20, threads: int = 7) -> list[Sample]:
    """Sixty samples of 400 images each, with noise; files and threads change at the last one."""
    noise = random.Random(1)  # noqa: S311 - not for secrets
    return [
        Sample(
            images,
            150 + mib_per_10_000 * images / 10_000 + noise.uniform(-0.3, 0.3),
            files if images == 24_000 else 20,
            threads if images == 24_000 else 7,
        )
        for images in range(400, 24_001, 400)
    ]


def test_the_slope_is_that_of_the_line() -> None:
    rise, error = slope(samples(5.0))
    assert rise == pytest.approx(5.0, abs=3 * error)
    assert 0 < error < 0.5


@pytest.mark.parametrize(
    ("run", "flat"),
    [
        (samples(0.0), True),
        (samples(-3.0), True),
        (samples(5.0), False),
        (samples(0.0, files=21), False),
        (samples(0.0, threads=8), False),
    ],
)
def test_memory_files_and_threads_must_stay(run: list[Sample], flat: bool) -> None:
    assert report(run) is flat
