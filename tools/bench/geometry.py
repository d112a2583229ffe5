"""`python -m tools.bench.geometry`: what each way to resize, crop and decode changes and costs.

The reference is what torchvision does: the photo at full size, resized whole, then cropped. Photos
whose names begin with a label's id and `_` also tell how often the model is right.
"""

import argparse
import io
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from PIL import Image

from app.contract.geometry import resized_size, source_box
from app.contract.manifest import Manifest, Preprocessing
from app.contract.preprocess import preprocess

Pixels = NDArray[np.uint8]
Way = Callable[[bytes, Preprocessing], Pixels]
_MOST_PIXELS = 178_956_970
_EXACT = {"geometry": "exact"}
_SCALED = {"scaled_decoding": True}


def whole(data: bytes, preprocessing: Preprocessing) -> Pixels:
    """Resizes the whole photo and crops it."""
    with Image.open(io.BytesIO(data)) as image:
        photo = _colour(image)
    size = resized_size(photo.size, preprocessing)
    width, height = preprocessing.crop_width, preprocessing.crop_height
    left, top = round((size[0] - width) / 2), round((size[1] - height) / 2)
    resized = photo.resize(size, _resampling(preprocessing))
    return np.asarray(resized.crop((left, top, left + width, top + height)))


def one_call(margin: int | None) -> Way:
    """Resizes torchvision's region in one call of Pillow.

    Args:
        margin: how many times the resized size the JPEG decoder leaves; None decodes all.
    """

    def prepare(data: bytes, preprocessing: Preprocessing) -> Pixels:
        with Image.open(io.BytesIO(data)) as image:
            size, factor = image.size, 1.0
            if margin is not None:
                width, height = resized_size(size, preprocessing)
                drafted = image.draft(None, (margin * width, margin * height))
                factor = 1.0 if drafted is None else size[0] / drafted[1][2]
            photo = _colour(image)
        left, top, right, bottom = source_box(size, preprocessing)
        box = (left / factor, top / factor, right / factor, bottom / factor)
        crop = (preprocessing.crop_width, preprocessing.crop_height)
        return np.asarray(photo.resize(crop, _resampling(preprocessing), box=box))

    return prepare


def served(**changes: object) -> Way:
    """What the service does with that preprocessing."""

    def prepare(data: bytes, preprocessing: Preprocessing) -> Pixels:
        changed = preprocessing.model_copy(update=changes)
        return preprocess(data, changed, max_pixels=_MOST_PIXELS)

    return prepare


def _colour(image: Image.Image) -> Image.Image:
    image.load()
    # Converted or not, `convert` makes a copy.
    return image if image.mode == "RGB" else image.convert("RGB")


def _resampling(preprocessing: Preprocessing) -> Image.Resampling:
    return Image.Resampling[preprocessing.interpolation.upper()]


WAYS: dict[str, Way] = {
    "resized whole, then cropped": whole,
    "**served: two passes over the region**": served(),
    "one `resize(box=)`": one_call(None),
    "exact centre": served(**_EXACT),
    "**served, scaled decoding**": served(**_SCALED),
    "one `resize(box=)`, decoded to once the size": one_call(1),
    "exact centre, scaled decoding": served(**_EXACT, **_SCALED),
}


@dataclass(frozen=True)
class Model:
    """A published version, for what its logits make of it."""

    manifest: Manifest
    sessions: dict[str, onnxruntime.InferenceSession]

    @classmethod
    def load(cls, folder: Path) -> "Model":
        """Opens the fp32 and int8 files, as far as there are any."""
        manifest = Manifest.model_validate_json((folder / "manifest.json").read_bytes())
        sessions: dict[str, onnxruntime.InferenceSession] = {
            variant.precision: onnxruntime.InferenceSession(
                folder / variant.file, providers=["CPUExecutionProvider"]
            )
            for variant in manifest.variants
            if variant.precision != "fp16"
        }
        return cls(manifest, sessions)

    def logits(self, images: Sequence[Pixels]) -> dict[str, NDArray[np.float32]]:
        """[n, classes] of each precision."""
        signature = self.manifest.signature
        logits, pixels = signature.logits.name, signature.image.name
        return {
            precision: np.concatenate(
                [session.run([logits], {pixels: image[None]})[0] for image in images]
            )
            for precision, session in self.sessions.items()
        }

    def classes(self, files: Sequence[Path]) -> NDArray[np.int64]:
        """[n] class of each photo by its name, -1 where that tells none."""
        known = {label.id: label.index for label in self.manifest.labels}
        return np.array([known.get(path.name.partition("_")[0], -1) for path in files])


def main(arguments: list[str] | None = None) -> int:
    """Prints both tables; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.bench.geometry", description=__doc__)
    parser.add_argument("--photos", type=Path, required=True, help="folder of photos")
    parser.add_argument("--model", type=Path, default=Path("models/imagenette/1"))
    parser.add_argument("--resize", type=int, help="shorter side (default: the model's)")
    parser.add_argument("--crop", type=int, help="side of the crop (default: the model's)")
    parser.add_argument("--interpolation", help="default: the model's")
    parser.add_argument("-n", type=int, default=15, help="repetitions of the timing; 0: none")
    parsed = parser.parse_args(arguments)
    files = sorted(path for path in parsed.photos.iterdir() if path.is_file())
    photos = [path.read_bytes() for path in files]
    model = Model.load(parsed.model)
    own = model.manifest.preprocessing
    preprocessing = Preprocessing.model_validate(
        own.model_dump()
        | {
            "geometry": "torchvision",
            "scaled_decoding": False,
            "resize_shorter_side": parsed.resize or own.resize_shorter_side,
            "crop_height": parsed.crop or own.crop_height,
            "crop_width": parsed.crop or own.crop_width,
            "interpolation": parsed.interpolation or own.interpolation,
        }
    )
    if (preprocessing.crop_height, preprocessing.crop_width) != (own.crop_height, own.crop_width):
        model = Model(model.manifest, {})
    for line in changes(files, photos, preprocessing, model):
        print(line)
    if parsed.n:
        for line in costs(photos, preprocessing, parsed.n):
            print(line)
    return 0


def changes(
    files: Sequence[Path], photos: Sequence[bytes], preprocessing: Preprocessing, model: Model
) -> list[str]:
    """The table of what each way changes against the reference."""
    classes = model.classes(files)
    named = int((classes >= 0).sum())
    # A few photos of the model's classes among others say nothing of its accuracy.
    judged = 2 * named >= len(files)
    figures = ["top-1 agrees", "largest logit difference", *([f"right of {named}"] * judged)]
    heads = [f"{precision}: {figure}" for precision in model.sessions for figure in figures]
    columns = ["way", "levels off, mean", "worst photo", "largest", *heads]
    lines = [f"| {' | '.join(columns)} |", f"|{' --- |' * len(columns)}"]
    reference = [whole(photo, preprocessing) for photo in photos]
    expected = model.logits(reference)
    for name, way in WAYS.items():
        images = [way(photo, preprocessing) for photo in photos]
        off = [np.abs(a.astype(int) - b) for a, b in zip(images, reference, strict=True)]
        means = [float(difference.mean()) for difference in off]
        cells = [name, f"{np.mean(means):.4f}", f"{max(means):.3f}", f"{max(d.max() for d in off)}"]
        for precision, logits in model.logits(images).items():
            best = logits.argmax(1)
            cells += [
                f"{np.mean(best == expected[precision].argmax(1)):.1%}",
                f"{np.abs(logits - expected[precision]).max():.3f}",
                *([f"{int((best == classes).sum())}"] * judged),
            ]
        lines.append(f"| {' | '.join(cells)} |")
    return [*lines, ""]


def costs(photos: Sequence[bytes], preprocessing: Preprocessing, repetitions: int) -> list[str]:
    """The table of processor time a photo: medians of repetitions in turn."""
    times: dict[str, list[float]] = {name: [] for name in WAYS}
    for _ in range(repetitions):
        for name, way in WAYS.items():
            started = time.process_time()
            for photo in photos:
                way(photo, preprocessing)
            times[name].append((time.process_time() - started) / len(photos))
    medians = {name: statistics.median(seconds) for name, seconds in times.items()}
    least = medians["**served: two passes over the region**"]
    rows = [
        f"| {name} | {1000 * median:.2f} | {median / least:.2f} |"
        for name, median in medians.items()
    ]
    return ["| way | processor ms a photo | ratio |", "| --- | --- | --- |", *rows]


if __name__ == "__main__":
    sys.exit(main())
