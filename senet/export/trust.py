"""What a manifest says of photos that are not there yet: fitted to photos when a model is exported.

Works on the files of a version, so that it can be fitted anew without another export.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.contract.exposure import exposures
from app.contract.geometry import side_of
from app.contract.manifest import Manifest, Precision
from app.contract.reference import Reference, mean_gates
from app.contract.signature import Signature
from senet.export import photos as photo_files
from senet.export.calibration import softmax
from senet.export.live_reference import figures, signal_references
from senet.export.photos import Photos
from senet.export.reject_rule import REJECT_RATE, fit_reject
from senet.export.runtime import onnx_runner
from senet.export.sets import fit_sets

_BATCH = 32
_Floats = NDArray[np.float32]


@dataclass(frozen=True)
class _Measured:
    """What a model's files make of photos, by the names of the outputs, in each precision."""

    outputs: dict[Precision, dict[str, _Floats]]
    exposures: NDArray[np.float64]
    crops: NDArray[np.float64]


def fit_trust(
    manifest: Manifest,
    directory: Path,
    photos: Photos,
    dataset: str,
    *,
    reject_rate: float = REJECT_RATE,
    progress: bool = False,
) -> Manifest:
    """Fits what needs photos that the network was not trained on.

    Args:
        manifest: of a version.
        directory: its files.
        photos: labelled photos to fit to, ordered by class.
        dataset: what to call them.
        reject_rate: share of them that is rejected; 0 for no rejection.
        progress: whether to show a progress bar.

    Returns:
        The manifest with `sets`, `reject` and `reference`.
    """
    signature = manifest.signature
    measured = _measure(manifest, directory, photos, progress=progress)
    temperature = manifest.calibration.temperature if manifest.calibration else 1.0
    scores = {
        precision: softmax(own[signature.logits.name].astype(np.float64) / temperature)
        for precision, own in measured.outputs.items()
    }
    best = {precision: own.max(axis=1) for precision, own in scores.items()}
    embedding = signature.find("embedding")
    reject = None
    if embedding is not None and reject_rate > 0:
        embeddings = {key: own[embedding.name] for key, own in measured.outputs.items()}
        contrast = measured.exposures[:, -1]
        reject = fit_reject(embeddings, best, contrast, dataset, reject_rate)
    signals = {
        precision: signal_references(
            figures(
                scores[precision],
                measured.crops,
                measured.exposures,
                None if embedding is None else own[embedding.name],
                _gates(signature, own),
            )
        )
        for precision, own in measured.outputs.items()
    }
    reference = Reference(
        dataset=dataset,
        images=len(photos),
        expected_score={key: round(float(own.mean()), 6) for key, own in best.items()},
        signals=signals,
    )
    fitted = {
        "sets": fit_sets(scores, photos.targets, dataset),
        "reject": reject,
        "reference": reference,
    }
    return Manifest.model_validate({**dict(manifest), **fitted})


def _measure(manifest: Manifest, directory: Path, photos: Photos, *, progress: bool) -> _Measured:
    names = _wanted(manifest.signature)
    runs = {
        variant.precision: onnx_runner(directory / variant.file, names)
        for variant in manifest.variants
    }
    parts: dict[Precision, list[dict[str, _Floats]]] = {precision: [] for precision in runs}
    exposed, crops = [], []
    title = "photos to fit to" if progress else None
    for batch in photo_files.read_inputs(
        photos, manifest.preprocessing, batch_size=_BATCH, progress=title
    ):
        pixels = np.stack([own.pixels for own in batch])
        exposed.append(exposures([own.pixels for own in batch]))
        crops += [side_of(own.crop) for own in batch]
        for precision, run in runs.items():
            parts[precision].append(run(pixels))
    outputs = {
        precision: {name: np.concatenate([part[name] for part in own]) for name in names}
        for precision, own in parts.items()
    }
    return _Measured(outputs, np.concatenate(exposed), np.array(crops))


def _wanted(signature: Signature) -> list[str]:
    embedding = signature.find("embedding")
    named = [signature.logits.name, *([embedding.name] if embedding else [])]
    return named + [spec.name for spec in signature.find_all("excitation")]


def _gates(signature: Signature, outputs: dict[str, _Floats]) -> _Floats | None:
    """[n, blocks], the mean gates of each block; None if the files do not give them."""
    names = [spec.name for spec in signature.find_all("excitation")]
    if not names:
        return None
    return np.stack([mean_gates(outputs[name]) for name in names], axis=1)
