"""Batch buckets: the few batch sizes that a GPU is prepared for, to which batches are padded."""

from collections.abc import Iterator, Sequence

from app.engines.engine import Provider

# A CPU gains nothing from more (docs/performance.md); a GPU reaches its rate with these
# (docs/gpu.md).
_USUAL_ON_CPU, _USUAL_ON_GPU = 8, 64


def largest_batch(setting: int, provider: Provider) -> int:
    """The largest batch that a provider shall be given.

    Args:
        setting: `max_batch_size`; 0 for what is usual.
        provider: what runs the model.
    """
    return setting or (_USUAL_ON_CPU if provider == "cpu" else _USUAL_ON_GPU)


def batch_buckets(max_batch_size: int) -> Iterator[int]:
    """The sizes to prepare: powers of two below the largest, and the largest."""
    size = 1
    while size < max_batch_size:
        yield size
        size *= 2
    yield max_batch_size


def bucket_for(images: int, buckets: Sequence[int]) -> int:
    """The smallest bucket that takes so many images.

    Args:
        images: at least 1, at most the largest bucket.
        buckets: rising.
    """
    return next(size for size in buckets if size >= images)
