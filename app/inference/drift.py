"""Whether the photos that come are still like those that the model was exported with."""

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count

import numpy as np
from numpy.typing import NDArray

from app.contract.exposure import exposures
from app.contract.geometry import side_of
from app.contract.reference import (
    SAMPLED,
    SAMPLED_SHARE,
    SCORE_EDGES,
    SIZE_EDGES,
    WINDOWS,
    Signal,
    bin_of,
    mean_gates,
)
from app.inference.observer import Seen
from app.selection.served_model import ServedModel

_SHORT, _LONG = WINDOWS
Figures = NDArray[np.float64]
Tell = Callable[[Signal, int, float], None]
"""Is told a signal's value in a window, as a multiple of its threshold."""


@dataclass(frozen=True, slots=True)
class Difference:
    """How far a window of photos is from the reference, in one signal.

    Attributes:
        value: the root mean square of standardised differences.
        threshold: what it may be by chance.
        photos: of the window that the signal was read of.
        since: when it has gone above the threshold and stayed there, on the monotonic clock in
            seconds; None while it is not above.
    """

    value: float
    threshold: float
    photos: int
    since: float | None


class _Block:
    """The figures of up to 64 photos, added up.

    Attributes:
        photos: that it has seen.
        sums: of each signal's figures.
        counts: photos that each signal was read of.
    """

    def __init__(self, sizes: Mapping[Signal, int]) -> None:
        self.photos = 0
        self.sums: dict[Signal, Figures] = {key: np.zeros(size) for key, size in sizes.items()}
        self.counts: dict[Signal, int] = dict.fromkeys(sizes, 0)

    def add(self, signal: Signal, index: int) -> None:
        """A photo that is in this bin of a histogram."""
        self.sums[signal][index] += 1
        self.counts[signal] += 1


class Drift:
    """Compares windows of photos with the manifest's reference. For any thread.

    A window of 64 photos ends where the next begins; one of 1,024 moves on by 64. What costs more
    than counting is read of one batch in eight.

    Args:
        model: what is observed.
        tell: is told each comparison.
        clock: monotonic time in seconds.

    Attributes:
        outputs: names of those that a sampled batch needs.
        seen_images: how many have come.
    """

    def __init__(
        self, model: ServedModel, tell: Tell, clock: Callable[[], float] = time.monotonic
    ) -> None:
        reference = model.manifest.reference
        if reference is None:
            raise ValueError("the model has no reference")
        self._signals = reference.of(model.variant.precision)
        self._fitted = reference.images
        self._tell = tell
        self._clock = clock
        embedding = model.signature.find("embedding")
        self._embedding = embedding.name if embedding and "embedding" in self._signals else None
        self._gates = [spec.name for spec in model.signature.find_all("excitation")]
        if "gates" not in self._signals:
            self._gates = []
        self.outputs = frozenset([*([self._embedding] if self._embedding else []), *self._gates])
        self._sizes = {signal: len(own.mean) for signal, own in self._signals.items()}
        self._batches = count()
        self._lock = threading.Lock()
        self._block = _Block(self._sizes)
        self._closed: deque[_Block] = deque(maxlen=_LONG // _SHORT)
        self._differences: dict[tuple[Signal, int], Difference] = {}
        self.seen_images = 0

    @property
    def signals(self) -> Sequence[Signal]:
        """Those of the reference."""
        return list(self._signals)

    def difference(self, signal: Signal, window: int) -> Difference | None:
        """The last comparison; None if there was none yet."""
        return self._differences.get((signal, window))

    def wants_sample(self) -> bool:
        """Whether the next batch is to be sampled."""
        return next(self._batches) % SAMPLED_SHARE == 0

    def sample(
        self, pixels: Sequence[NDArray[np.uint8]], outputs: Mapping[str, NDArray[np.float32]]
    ) -> None:
        """A batch that is sampled.

        Args:
            pixels: the network's input, each uint8 [height, width, 3].
            outputs: those of `outputs` among them.
        """
        read: dict[Signal, Figures] = {}
        if "exposure" in self._signals:
            read["exposure"] = exposures(pixels)
        if self._embedding is not None:
            read["embedding"] = outputs[self._embedding].astype(np.float64)
        if self._gates:
            read["gates"] = np.stack([mean_gates(outputs[name]) for name in self._gates], axis=1)
        with self._lock:
            for signal, figures in read.items():
                finite = figures[np.isfinite(figures).all(axis=1)]
                self._block.sums[signal] += finite.sum(axis=0)
                self._block.counts[signal] += len(finite)

    def decoded(self, seconds: float) -> None:
        """See `Observer`; nothing is made of it."""

    def settled(self, outcome: str, images: int) -> None:
        """See `Observer`; nothing is made of it."""

    def seen(self, batch: Sequence[Seen], seconds: float) -> None:
        """See `Observer`."""
        del seconds
        with self._lock:
            for image in batch:
                self._add(image)

    def _add(self, image: Seen) -> None:
        block = self._block
        if "score" in self._signals:
            block.add("score", bin_of(image.score, SCORE_EDGES))
        if "classes" in self._signals:
            block.add("classes", image.label.index)
        side = side_of(image.classification.crop)
        if side and "size" in self._signals:  # what has come as pixels has no crop
            block.add("size", bin_of(side, SIZE_EDGES))
        block.photos += 1
        self.seen_images += 1
        if block.photos == _SHORT:
            self._closed.append(block)
            self._block = _Block(self._sizes)
            self._compare(_SHORT, [block])
            if len(self._closed) == self._closed.maxlen:
                self._compare(_LONG, list(self._closed))

    def _compare(self, window: int, blocks: Sequence[_Block]) -> None:
        for signal, reference in self._signals.items():
            photos = sum(block.counts[signal] for block in blocks)
            expected = window // SAMPLED_SHARE if signal in SAMPLED else window
            if 2 * photos < expected:
                continue  # too few of it came in this window
            mean = np.sum([block.sums[signal] for block in blocks], axis=0) / photos
            value = reference.difference(mean)
            threshold = reference.threshold(window, photos, self._fitted)
            before = self._differences.get((signal, window))
            since = before.since if before else None
            if value > threshold and since is None:
                since = self._clock()
            self._differences[signal, window] = Difference(
                value, threshold, photos, since if value > threshold else None
            )
            self._tell(signal, window, value / threshold)
