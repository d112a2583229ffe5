"""What a manifest says of photos that are not there yet: fitted to photos when a model is exported.

Works on the files of a version, so that it can be fitted anew without another export.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.contract.manifest import Manifest, Precision
from senet.export import photos as photo_files
from senet.export.calibration import softmax
from senet.export.photos import Photos
from senet.export.runtime import onnx_runner
from senet.export.sets import fit_sets

_BATCH = 32


def fit_trust(
    manifest: Manifest, directory: Path, photos: Photos, dataset: str, *, progress: bool = False
) -> Manifest:
    """Fits what needs photos that the network was not trained on.

    Args:
        manifest: of a version.
        directory: its files.
        photos: labelled photos to fit to, ordered by class.
        dataset: what to call them.
        progress: whether to show a progress bar.

    Returns:
        The manifest with `sets`.
    """
    logits = _logits(manifest, directory, photos, progress=progress)
    temperature = manifest.calibration.temperature if manifest.calibration else 1.0
    scores = {
        precision: softmax(own.astype(np.float64) / temperature)
        for precision, own in logits.items()
    }
    sets = fit_sets(scores, photos.targets, dataset)
    return Manifest.model_validate({**dict(manifest), "sets": sets})


def _logits(
    manifest: Manifest, directory: Path, photos: Photos, *, progress: bool
) -> dict[Precision, NDArray[np.float32]]:
    name = manifest.signature.logits.name
    runs = {
        variant.precision: onnx_runner(directory / variant.file, [name])
        for variant in manifest.variants
    }
    parts: dict[Precision, list[NDArray[np.float32]]] = {precision: [] for precision in runs}
    title = "sets" if progress else None
    for batch in photo_files.read(
        photos, manifest.preprocessing, batch_size=_BATCH, progress=title
    ):
        for precision, run in runs.items():
            parts[precision].append(run(batch)[name])
    return {precision: np.concatenate(own) for precision, own in parts.items()}
