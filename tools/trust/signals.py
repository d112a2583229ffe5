"""What tells photos that a model does not know: `python -m tools.trust.signals --help`.

Compares signals by the area under the ROC curve (AUROC): the probability that a photo that does
not belong has more of a signal than one that does. Runs a version with `reject`, without a service.
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.contract.exposure import exposures
from app.contract.manifest import Manifest, Precision
from app.contract.preprocess import preprocess
from app.contract.reject import Reject, doubts
from app.contract.repository import ModelRepository, select_variant
from senet.export.calibration import softmax
from senet.export.runtime import Run, onnx_runner
from tools.trust.spoil import SPOILERS

_BATCH = 32
_MAX_PIXELS = 178_956_970
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class _Subject:
    manifest: Manifest
    precision: Precision
    reject: Reject
    run: Run

    def measure(self, paths: Sequence[Path], spoil: Callable[[bytes], bytes]) -> dict[str, Floats]:
        """Each signal of each photo, and its gates [n, channels]."""
        parts = [self._signals(batch) for batch in self._batches(paths, spoil)]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def _signals(self, pixels: list[NDArray[np.uint8]]) -> dict[str, Floats]:
        outputs = self.run(np.stack(pixels))
        calibration = self.manifest.calibration
        logits = outputs["logits"].astype(np.float64) / (
            calibration.temperature if calibration else 1.0
        )
        best = softmax(logits).max(axis=1)
        distance = self.reject.distances(outputs["embedding"])
        contrast = exposures(pixels)[:, -1]
        rejected = self.reject.rejected(
            self.precision, outputs["embedding"], best.tolist(), contrast
        )
        rule = self.reject.rules[self.precision]
        gates = [outputs[name] for name in outputs if name.startswith("excitation.")]
        return {
            "score": -best,
            "energy": -np.log(np.exp(logits).sum(axis=1)),
            "embedding distance": distance,
            "contrast": -contrast,
            "distance and score": rule.strangeness(distance, doubts(best.tolist())),
            "rejected": rejected.astype(np.float64),
            "gates": np.concatenate([own.reshape(len(pixels), -1) for own in gates], 1)
            if gates
            else np.zeros((len(pixels), 0)),
        }

    def _batches(
        self, paths: Sequence[Path], spoil: Callable[[bytes], bytes]
    ) -> Iterator[list[NDArray[np.uint8]]]:
        def load(path: Path) -> NDArray[np.uint8]:
            data = spoil(path.read_bytes())
            return preprocess(data, self.manifest.preprocessing, max_pixels=_MAX_PIXELS)

        with ThreadPoolExecutor() as pool:
            for start in range(0, len(paths), _BATCH):
                yield list(pool.map(load, paths[start : start + _BATCH]))


def main(arguments: list[str] | None = None) -> int:
    """Measures and prints a line for each kind of photo."""
    parsed = _parser().parse_args(arguments)
    version = ModelRepository(parsed.repository).find(parsed.name, None)
    manifest = version.manifest
    if manifest.reject is None:
        print(f"error: {parsed.name} has no reject; see scripts.fit_trust", file=sys.stderr)
        return 2
    variant = select_variant(parsed.precision, manifest)
    run = onnx_runner(version.folder / variant.file)
    subject = _Subject(manifest, variant.precision, manifest.reject, run)
    listed = set(parsed.fit_on.read_text(encoding="utf-8").split("\n")) - {""}
    photos = sorted(path for path in parsed.photos.glob("*/*") if path.is_file())
    fitted = [path for path in photos if f"{path.parent.name}/{path.name}" in listed]
    judging = [path for path in photos if path not in set(fitted)]
    normal = subject.measure(fitted, SPOILERS["unchanged"])["gates"]
    known = _judged(subject.measure(judging, SPOILERS["unchanged"]), normal)
    print(f"unchanged: rejected {known['rejected'].mean():.1%} of {len(judging)}")
    strange = [(name, judging, own) for name, own in SPOILERS.items() if name != "unchanged"]
    if parsed.unseen is not None:
        unseen = sorted(path for path in parsed.unseen.rglob("*") if path.is_file())
        strange.insert(0, ("unseen classes", unseen, SPOILERS["unchanged"]))
    for name, paths, spoil in strange:
        found = _judged(subject.measure(paths, spoil), normal)
        areas = [
            f"{signal} {auroc(own, found[signal]):.2f}"
            for signal, own in known.items()
            if signal != "rejected"
        ]
        print(f"{name}: {', '.join(areas)}; rejected {found['rejected'].mean():.1%}")
    return 0


def auroc(belonging: Floats, strange: Floats) -> float:
    """The area under the ROC curve; ties count half.

    Args:
        belonging: [n], the signal of photos that belong.
        strange: [m], of photos that do not, which should have more of it.
    """
    order = np.sort(belonging)
    below = np.searchsorted(order, strange, "left") + np.searchsorted(order, strange, "right")
    return float(below.mean() / (2 * len(order)))


def _judged(found: dict[str, Floats], normal: Floats) -> dict[str, Floats]:
    """The signals, with the gates' mean square distance from normal ones in their place."""
    if not normal.shape[1]:
        return {name: own for name, own in found.items() if name != "gates"}
    spread = normal.std(axis=0) + 1e-3
    distance = (((found["gates"] - normal.mean(axis=0)) / spread) ** 2).mean(axis=1)
    return found | {"gates": distance}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tools.trust.signals", description=__doc__)
    parser.add_argument("--repository", type=Path, default=Path("models"))
    parser.add_argument("--name", default="imagenette")
    parser.add_argument("--precision", choices=("fp32", "fp16", "int8"), default="int8")
    parser.add_argument("--photos", type=Path, required=True, help="class folders")
    parser.add_argument("--fit-on", type=Path, required=True, help="list of those fitted to")
    parser.add_argument("--unseen", type=Path, help="photos of classes that the model lacks")
    return parser


if __name__ == "__main__":
    sys.exit(main())
