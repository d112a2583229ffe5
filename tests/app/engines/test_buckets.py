"""Which batch sizes are prepared, and which of them takes a batch."""

import pytest

from app.engines.buckets import batch_buckets, bucket_for, largest_batch
from app.engines.engine import Provider


@pytest.mark.parametrize(
    ("largest", "buckets"),
    [(1, [1]), (2, [1, 2]), (6, [1, 2, 4, 6]), (8, [1, 2, 4, 8]), (9, [1, 2, 4, 8, 9])],
)
def test_batch_buckets(largest: int, buckets: list[int]) -> None:
    assert list(batch_buckets(largest)) == buckets


@pytest.mark.parametrize(
    ("setting", "provider", "largest"),
    [(0, "cpu", 8), (0, "cuda", 64), (0, "tensorrt", 64), (1, "cuda", 1), (32, "cpu", 32)],
)
def test_the_largest_batch_is_the_settings_or_what_is_usual(
    setting: int, provider: Provider, largest: int
) -> None:
    assert largest_batch(setting, provider) == largest


@pytest.mark.parametrize(("images", "bucket"), [(1, 1), (2, 2), (3, 4), (4, 4), (5, 6), (6, 6)])
def test_a_batch_takes_the_smallest_that_holds_it(images: int, bucket: int) -> None:
    assert bucket_for(images, list(batch_buckets(6))) == bucket
