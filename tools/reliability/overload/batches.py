"""What batches take, by the service's own histograms."""

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import Self

from tools.loadtools.operations import metrics


@dataclass(frozen=True, slots=True)
class Batches:
    """Batches that the engine ran.

    Attributes:
        count: how many.
        images: in all of them.
        seconds: of all of them.
        within: how many took at most so many seconds.
    """

    count: float
    images: float
    seconds: float
    within: Counter[float]

    @classmethod
    async def so_far(cls, port: int) -> Self:
        """Since the service on that port began."""
        samples = await metrics(port)
        totals: defaultdict[str, float] = defaultdict(float)
        within: Counter[float] = Counter()
        for (name, labels), value in samples.items():
            totals[name] += value
            if name == "senet_inference_seconds_bucket":
                within[float(dict(labels)["le"])] += round(value)
        return cls(
            totals["senet_inference_seconds_count"],
            totals["senet_batch_size_sum"],
            totals["senet_inference_seconds_sum"],
            within,
        )

    def since(self, earlier: Self) -> Self:
        """Those that came after `earlier`."""
        return type(self)(
            self.count - earlier.count,
            self.images - earlier.images,
            self.seconds - earlier.seconds,
            self.within - earlier.within,
        )

    @property
    def mean_size(self) -> float:
        """Images in one."""
        return self.images / self.count if self.count else 0.0

    @property
    def mean_ms(self) -> float:
        """Time of one in milliseconds."""
        return 1000 * self.seconds / self.count if self.count else 0.0

    @property
    def longest_ms(self) -> float:
        """The bound of the histogram's bucket that holds the longest, in milliseconds."""
        reached = (bound for bound, count in self.within.items() if count == self.count)
        return 1000 * min(reached, default=0.0)
