"""What every variant makes of the same photos: one pass, all logits, then the figures."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from app.contract.manifest import Accuracy, Preprocessing
from senet.evaluation import Evaluation
from senet.export.photos import Photos, read
from senet.export.runtime import LOGITS, Run

Logits = NDArray[np.float32]
_BATCH = 32


def logits_of(
    runs: Mapping[str, Run], photos: Photos, preprocessing: Preprocessing, *, progress: bool
) -> dict[str, Logits]:
    """Logits [n, classes] of each run on all `photos`, which are decoded once."""
    gathered: dict[str, list[Logits]] = {name: [] for name in runs}
    title = f"measuring {', '.join(runs)}" if progress else None
    for batch in read(photos, preprocessing, batch_size=_BATCH, progress=title):
        for name, run in runs.items():
            gathered[name].append(run(batch)[LOGITS])
    return {name: np.concatenate(parts) for name, parts in gathered.items()}


def accuracy(logits: Logits, photos: Photos, dataset: str) -> Accuracy:
    """The manifest's entry for labelled `photos`."""
    evaluation = Evaluation(photos.files, photos.targets, logits)
    return Accuracy(
        dataset=dataset, images=evaluation.count, top1=evaluation.top1, top5=evaluation.top5
    )
