"""Compares two versions of a model repository on a folder of class folders.

Prints on how many photos they agree, what each class gains and loses, and which photos flipped:
each prepared as its own version says, in the precision that is named.
"""

import argparse
import sys
from pathlib import Path
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from app.contract.errors import ConfigurationError
from app.contract.manifest import Label, Precision
from app.contract.repository import ModelRepository, ModelVersion
from senet.comparison import Answers, compare
from senet.export.measure import logits_of
from senet.export.photos import Photos, labelled
from senet.export.runtime import LOGITS, Images, Outputs, onnx_runner


def main(arguments: list[str] | None = None) -> int:
    """Prints the comparison; returns the exit code."""
    parsed = _parser().parse_args(arguments)
    try:
        first, second = (_find(path) for path in (parsed.first, parsed.second))
        labels = first.manifest.labels
        order = _order(labels, second.manifest.labels)
        photos = labelled("--photos", parsed.photos, labels)
        one = _answers(first, parsed.precision, photos)
        two = _answers(second, parsed.precision, photos)
        two = Answers(two.name, two.logits[:, order])
        lines = compare(one, two, photos.files, photos.targets, labels)
    except ConfigurationError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    sys.stdout.write("\n".join([*lines, *photos.notes]) + "\n")
    return 0


def _find(path: Path) -> ModelVersion:
    """The version in `<repository>/<name>/<version>`."""
    folder = path.absolute()
    if not folder.name.isdecimal():
        raise ConfigurationError(
            "VERSION",
            f"{path} is not the folder of a version",
            "give <repository>/<name>/<version>",
        )
    return ModelRepository(folder.parents[1]).find(folder.parent.name, int(folder.name))


def _order(labels: tuple[Label, ...], others: tuple[Label, ...]) -> NDArray[np.int64]:
    """Where each of `labels` stands among `others`."""
    places = {label.id: label.index for label in others}
    if places.keys() != {label.id for label in labels}:
        different = sorted(places.keys() ^ {label.id for label in labels})
        raise ConfigurationError(
            "VERSION",
            f"only one of the two has the class {different[0]!r}",
            "compare versions of the same classes",
        )
    return np.array([places[label.id] for label in labels])


def _answers(version: ModelVersion, precision: Precision, photos: Photos) -> Answers:
    manifest = version.manifest
    name = f"{manifest.name}:{manifest.version} {precision}"
    variant = next((entry for entry in manifest.variants if entry.precision == precision), None)
    if variant is None:
        raise ConfigurationError(
            "--precision",
            f"{manifest.name}:{manifest.version} has no {precision}",
            f"give one of {', '.join(entry.precision for entry in manifest.variants)}",
        )
    wanted = manifest.signature.logits.name
    file = version.verified_file(variant)
    run = onnx_runner(file, [wanted], image=manifest.signature.image.name)

    def logits_alone(images: Images) -> Outputs:
        return {LOGITS: run(images)[wanted]}

    logits = logits_of({name: logits_alone}, photos, manifest.preprocessing, progress=True)
    return Answers(name, logits[name])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m scripts.compare",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("first", type=Path, metavar="A", help="folder of a version, such as models/flowers/1")
    add("second", type=Path, metavar="B", help="folder of the version that may replace it")
    add("--photos", type=Path, required=True, metavar="DIR", help="folder of class folders")
    add("--precision", choices=get_args(Precision), default="fp32", help="default %(default)s")
    return parser


if __name__ == "__main__":
    sys.exit(main())
