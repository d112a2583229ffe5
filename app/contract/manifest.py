"""`manifest.json`: what a model version is, strictly validated."""

import hashlib
import json
from functools import cached_property
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, model_validator

FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")]
ModelName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Fraction = Annotated[float, Field(ge=0, le=1)]
Channel = Annotated[int, Field(ge=0, le=255)]
Mean = Annotated[float, Field(allow_inf_nan=False)]
Deviation = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Precision = Literal["fp32", "fp16", "int8"]
Interpolation = Literal["nearest", "bilinear", "bicubic", "lanczos"]
Output = Literal["logits", "embedding", "cam"]
Geometry = Literal["exact", "torchvision", "squash"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Preprocessing(_Strict):
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


class Input(_Strict):
    """Size in pixels of the graph's input."""

    height: PositiveInt
    width: PositiveInt


class Source(_Strict):
    """Where the weights came from and under which terms."""

    weights: str
    licence: str


class Label(_Strict):
    """One class: its index in the logits, its identifier and its readable name."""

    index: Annotated[int, Field(ge=0)]
    id: str
    name: str


class Parity(_Strict):
    """How far a variant's logits are from the reference's on the same inputs."""

    reference: str
    max_abs_logit_diff: Annotated[float, Field(ge=0)]
    top1_agreement: Fraction


class Accuracy(_Strict):
    """Accuracy of a variant as measured through the service's own preprocessing."""

    dataset: str
    images: PositiveInt
    top1: Fraction
    top5: Fraction


class Variant(_Strict):
    """One ONNX file of the model version."""

    precision: Precision
    file: FileName
    sha256: Sha256
    opset: PositiveInt
    parity: Parity
    accuracy: Accuracy | None = None


class Calibration(_Strict):
    """Temperature scaling of the logits (Guo et al. 2017, section 4.2)."""

    temperature: Annotated[float, Field(gt=0)]
    ece_before: Fraction
    ece_after: Fraction
    dataset: str


class Golden(_Strict):
    """Inputs whose logits are known: the self-test before the service is ready."""

    inputs: FileName
    """`.npy`, uint8 [n, height, width, 3]."""
    logits: FileName
    """`.npy`, float32 [n, classes], from the source model in fp32."""
    tolerance: dict[Precision, Annotated[float, Field(gt=0)]]
    """Largest allowed absolute difference of a logit, per precision."""


class Manifest(_Strict):
    """The whole of `manifest.json`."""

    schema_version: Literal[1] = 1
    name: ModelName
    version: PositiveInt
    architecture: str
    source: Source
    input: Input
    preprocessing: Preprocessing
    labels: Annotated[tuple[Label, ...], Field(min_length=1)]
    outputs: tuple[Output, ...] = ("logits", "embedding", "cam")
    """Of the graph; a network without an exact class activation map has no `cam`."""
    untrained: bool = False
    """Whether the export skipped its checks that the network has learned something."""
    variants: Annotated[tuple[Variant, ...], Field(min_length=1)]
    calibration: Calibration | None = None
    golden: Golden

    @cached_property
    def mean_label_bytes(self) -> float:
        """Bytes of an identifier and a name together, on the mean over the labels, in UTF-8."""
        texts = (label.id + label.name for label in self.labels)
        return sum(len(text.encode(errors="replace")) for text in texts) / len(self.labels)

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        crop = (self.preprocessing.crop_height, self.preprocessing.crop_width)
        if crop != (self.input.height, self.input.width):
            raise ValueError("input and the crop of preprocessing differ in size")
        if [label.index for label in self.labels] != list(range(len(self.labels))):
            raise ValueError("labels must be in the order of their index, from 0, without gaps")
        precisions = [variant.precision for variant in self.variants]
        if len(set(precisions)) != len(precisions):
            raise ValueError("two variants have the same precision")
        missing = set(precisions) - set(self.golden.tolerance)
        if missing:
            raise ValueError(f"golden.tolerance lacks {', '.join(sorted(missing))}")
        return self
