"""`manifest.json`: what a model version is, strictly validated."""

import hashlib
import json
import math
from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import Field, PositiveInt, model_validator

from app.contract.precision import Precision as Precision
from app.contract.prediction_sets import PredictionSets
from app.contract.reference import SCORE_EDGES, SIZE_EDGES, Reference, Signal
from app.contract.reject import Reject
from app.contract.signature import Signature, of_schema_1
from app.contract.strict import Strict

FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")]
MODEL_NAME = r"^[a-z0-9][a-z0-9._-]{0,63}$"
ModelName = Annotated[str, Field(pattern=MODEL_NAME)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Fraction = Annotated[float, Field(ge=0, le=1)]
Channel = Annotated[int, Field(ge=0, le=255)]
Mean = Annotated[float, Field(allow_inf_nan=False)]
Deviation = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Interpolation = Literal["nearest", "bilinear", "bicubic", "lanczos"]
Geometry = Literal["exact", "torchvision", "squash"]
Requirement = Annotated[str, Field(pattern=r"^senet-serving>=[0-9]{1,4}(\.[0-9]{1,4}){0,3}$")]

SCHEMAS = (1, 2)
"""The schemas of the manifest that this version reads; exports write the last."""
_READS_SCHEMA_2 = "senet-serving>=0.2.0"
_READS_ALL = "senet-serving>=0.3.0"
"""The first version that reads the keys which schema 2 got later, named here."""
_LATER_KEYS = ("excitations", "sets", "reject", "reference")
_NEW_IN_2 = (
    "requires",
    "signature",
    "untrained",
    "gates",
    "excitations",
    "sets",
    "reject",
    "reference",
)


class Preprocessing(Strict):
    """How an image becomes the network's input; shared by export, evaluation and serving."""

    geometry: Geometry = "exact"
    """`torchvision`: the shorter side is resized; sizes and offsets are rounded as torchvision's
    Resize and CenterCrop round them. `squash`: both sides are resized, the aspect ratio is lost.
    `exact`: the centre to fractions of a pixel, as files without this key have it."""
    resize_shorter_side: PositiveInt
    """Shorter side (`squash`: both sides) in pixels after resizing, before the crop."""
    interpolation: Interpolation = "bilinear"
    antialias: bool = True
    """Whether the filter widens with the reduction (as Pillow's `resize` and torchvision do)."""
    crop_height: PositiveInt
    crop_width: PositiveInt
    exif_transpose: bool = True
    """Whether the EXIF orientation is applied."""
    background: tuple[Channel, Channel, Channel] = (255, 255, 255)
    """RGB colour that transparent images are composited on."""
    scaled_decoding: bool = True
    """Whether the JPEG decoder may decode at 1/2, 1/4 or 1/8 where both sides stay at least twice
    (`exact`: once) as long as in the resized photo; never for `squash`."""
    mean: tuple[Mean, Mean, Mean] = (0.485, 0.456, 0.406)
    """RGB mean in units of 0..1, subtracted inside the graph."""
    std: tuple[Deviation, Deviation, Deviation] = (0.229, 0.224, 0.225)
    """RGB standard deviation in units of 0..1, divided by inside the graph."""

    @model_validator(mode="after")
    def _is_possible(self) -> Self:
        if max(self.crop_height, self.crop_width) > self.resize_shorter_side:
            raise ValueError("crop_height and crop_width may not exceed resize_shorter_side")
        if self.interpolation == "lanczos" and not self.antialias:
            raise ValueError("lanczos needs antialias")
        return self

    @cached_property
    def digest(self) -> str:
        """`sha256:<hex>` of the canonical JSON; equal digests mean equal preprocessing."""
        values = self.model_dump(mode="json")
        if self.geometry == "exact":
            # Older files have no such key, and their digests have been given out.
            del values["geometry"]
        canonical = json.dumps(values, sort_keys=True, separators=(",", ":"))
        return "sha256:" + hashlib.sha256(canonical.encode()).hexdigest()


class Input(Strict):
    """Size in pixels of the graph's input."""

    height: PositiveInt
    width: PositiveInt


class Source(Strict):
    """Where the weights came from and under which terms."""

    weights: str
    licence: str


class Label(Strict):
    """One class: its index in the logits, its identifier and its readable name."""

    index: Annotated[int, Field(ge=0)]
    id: str
    name: str


class Parity(Strict):
    """How far a variant's logits are from the reference's on the same inputs."""

    reference: str
    max_abs_logit_diff: Annotated[float, Field(ge=0)]
    top1_agreement: Fraction


class Accuracy(Strict):
    """Accuracy of a variant as measured through the service's own preprocessing."""

    dataset: str
    images: PositiveInt
    top1: Fraction
    top5: Fraction


class Variant(Strict):
    """One ONNX file of the model version."""

    precision: Precision
    file: FileName
    sha256: Sha256
    opset: PositiveInt
    parity: Parity
    accuracy: Accuracy | None = None


class Calibration(Strict):
    """Temperature scaling of the logits (Guo et al. 2017, section 4.2)."""

    temperature: Annotated[float, Field(gt=0)]
    ece_before: Fraction
    ece_after: Fraction
    dataset: str


class Golden(Strict):
    """Inputs whose logits are known: the self-test before the service is ready."""

    inputs: FileName
    """`.npy`, uint8 [n, height, width, 3]."""
    logits: FileName
    """`.npy`, float32 [n, classes], from the source model in fp32."""
    tolerance: dict[Precision, Annotated[float, Field(gt=0)]]
    """Largest allowed absolute difference of a logit, per precision."""


class Gates(Strict):
    """What the gates of one SE block did over the photos of the export."""

    block: str
    mean: Annotated[float, Field(allow_inf_nan=False)]
    spread: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    """Standard deviation over the photos, averaged over the channels."""


class Excitations(Strict):
    """Means and spreads of the gates over the photos of each class, channel by channel."""

    file: FileName
    """`.npy`, uint8 [2, classes, channels of all blocks]: means, then standard deviations over the
    photos, in 255ths; the blocks as their outputs are ordered in the signature."""
    sha256: Sha256
    dataset: str
    photos: tuple[Annotated[int, Field(ge=0)], ...]
    """Of each class."""


class Manifest(Strict):
    """The whole of `manifest.json`.

    In schema 1 there is none of the keys that schema 2 added: the signature of its files is the one
    that all had then.
    """

    schema_version: Literal[1, 2] = 1
    requires: Requirement = _READS_SCHEMA_2
    """The first version of this project that reads all of it; told by those that cannot."""
    name: ModelName
    version: PositiveInt
    architecture: str
    source: Source
    input: Input
    signature: Signature
    preprocessing: Preprocessing
    labels: Annotated[tuple[Label, ...], Field(min_length=1)]
    untrained: bool = False
    """Whether the export skipped its checks that the network has learned something."""
    variants: Annotated[tuple[Variant, ...], Field(min_length=1)]
    calibration: Calibration | None = None
    golden: Golden
    gates: tuple[Gates, ...] = ()
    """By block, in the order of the network."""
    excitations: Excitations | None = None
    sets: PredictionSets | None = None
    reject: Reject | None = None
    reference: Reference | None = None

    @property
    def first_reader(self) -> str:
        """What `requires` has to say for the keys that are there."""
        has_later = any(getattr(self, key) is not None for key in _LATER_KEYS)
        gives_gates = bool(self.signature.find_all("excitation"))
        return _READS_ALL if has_later or gives_gates else _READS_SCHEMA_2

    @cached_property
    def mean_label_bytes(self) -> float:
        """Bytes of an identifier and a name together, on the mean over the labels, in UTF-8."""
        texts = (label.id + label.name for label in self.labels)
        return sum(len(text.encode(errors="replace")) for text in texts) / len(self.labels)

    @cached_property
    def files(self) -> dict[str, str | None]:
        """All files that the version cannot be without, and their SHA-256 where it is known."""
        files: dict[str, str | None] = {self.golden.inputs: None, self.golden.logits: None}
        files |= {variant.file: variant.sha256 for variant in self.variants}
        if self.excitations is not None:
            files[self.excitations.file] = self.excitations.sha256
        return files

    @model_validator(mode="before")
    @classmethod
    def _completes_schema_1(cls, content: Any) -> Any:  # noqa: ANN401 - JSON that is not checked yet
        if not isinstance(content, dict) or content.get("schema_version", 1) != 1:
            return content
        if found := [key for key in _NEW_IN_2 if key in content]:
            raise ValueError(f"{', '.join(found)} needs schema_version 2")
        # Whatever keeps the signature from being made is a mistake in what it is made from, which
        # is named where that is checked.
        try:
            size = content["input"]
            signature = of_schema_1(size["height"], size["width"], len(content["labels"]))
        except (KeyError, TypeError, ValueError):
            signature = of_schema_1(1, 1, 1)
        return content | {"signature": signature}

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        size = (self.input.height, self.input.width)
        if size != (self.preprocessing.crop_height, self.preprocessing.crop_width):
            raise ValueError("input and the crop of preprocessing differ in size")
        if [label.index for label in self.labels] != list(range(len(self.labels))):
            raise ValueError("labels must be in the order of their index, from 0, without gaps")
        precisions = [variant.precision for variant in self.variants]
        if len(set(precisions)) != len(precisions):
            raise ValueError("two variants have the same precision")
        missing = set(precisions) - set(self.golden.tolerance)
        if missing:
            raise ValueError(f"golden.tolerance lacks {', '.join(sorted(missing))}")
        for key, fitted in self._fitted().items():
            if lacking := set(precisions) - fitted:
                raise ValueError(f"{key} lacks {', '.join(sorted(lacking))}")
        if self.reject is not None:
            embedding = self.signature.find("embedding")
            if embedding is None or embedding.sizes != (len(self.reject.mean),):
                raise ValueError("reject.mean and the embedding of signature differ in length")
        if self.excitations is not None:
            if not self.signature.find_all("excitation"):
                raise ValueError("excitations needs outputs of that meaning in signature")
            if len(self.excitations.photos) != len(self.labels):
                raise ValueError("excitations.photos and labels differ in number")
        if self.reference is not None:
            self._check_reference(self.reference)
        if self.schema_version > 1 and not self.signature.is_complete:
            raise ValueError("signature must give every size")
        if self.signature.image.sizes[:2] != size:
            raise ValueError("input and the image of signature differ in size")
        if self.signature.logits.sizes != (len(self.labels),):
            raise ValueError("labels and the logits of signature differ in number")
        return self

    def _check_reference(self, reference: Reference) -> None:
        embedding = self.signature.find("embedding")
        sizes: dict[Signal, int] = {
            "score": len(SCORE_EDGES) + 1,
            "classes": len(self.labels),
            "size": len(SIZE_EDGES) + 1,
            "exposure": 4,
            "embedding": math.prod(embedding.sizes) if embedding else 0,
            "gates": len(self.signature.find_all("excitation")),
        }
        for precision, signals in reference.signals.items():
            for signal, own in signals.items():
                if len(own.mean) != sizes[signal]:
                    raise ValueError(
                        f"reference.signals.{precision}.{signal} has {len(own.mean)} figures, not"
                        f" {sizes[signal]}"
                    )

    def _fitted(self) -> dict[str, set[Precision]]:
        """The precisions for which what is fitted to photos is there."""
        fitted: dict[str, set[Precision]] = {}
        if self.sets is not None:
            fitted["sets.rules"] = set(self.sets.rules)
        if self.reject is not None:
            fitted["reject.rules"] = set(self.reject.rules)
        if self.reference is not None:
            fitted["reference.signals"] = set(self.reference.signals)
            fitted["reference.expected_score"] = set(self.reference.expected_score)
        return fitted
