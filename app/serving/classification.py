"""What a classifier serves, is asked and answers."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.engines.engine import Layout, Output, Provider
from app.repository.manifest import Label, Manifest, Variant
from app.serving.admission import Caller
from app.serving.candidates import ChosenBy


@dataclass(frozen=True, slots=True)
class ServedModel:
    """The model version that a classifier serves, and how.

    Attributes:
        manifest: of the model.
        variant: the ONNX file that runs.
        provider: what runs it.
        layout: how runs share the cores.
        max_batch_size: most images in one of its batches.
        chosen_by: why this engine serves.
        output_sizes: how many numbers each output has for one image.
    """

    manifest: Manifest
    variant: Variant
    provider: Provider
    layout: Layout
    max_batch_size: int
    chosen_by: ChosenBy
    output_sizes: Mapping[Output, int]

    @property
    def name(self) -> str:
        """The model's name."""
        return self.manifest.name

    @property
    def version(self) -> str:
        """The model's version, as it stands in answers."""
        return str(self.manifest.version)

    @property
    def digest(self) -> str:
        """`sha256:<hex>` of the ONNX file."""
        return f"sha256:{self.variant.sha256}"


@dataclass(frozen=True, slots=True)
class ClassifyOptions:
    """What one request asks for.

    Attributes:
        caller: who asks, and how urgently.
        deadline: on the monotonic clock, in seconds.
        top_k: most classes per image.
        min_score: classes below it are left out.
        include: outputs beyond the classes.
    """

    caller: Caller
    deadline: float
    top_k: int = 5
    min_score: float = 0.0
    include: frozenset[Output] = frozenset()


@dataclass(frozen=True, slots=True)
class Prediction:
    """One class for one image.

    Attributes:
        label: the class.
        score: between 0 and 1.
        cam: float32 [h, w], the class activation map (Zhou et al. 2016), if asked for.
    """

    label: Label
    score: float
    cam: NDArray[np.float32] | None


@dataclass(frozen=True, slots=True)
class Classification:
    """The answer for one image.

    Attributes:
        predictions: by falling score.
        embedding: float32 [dim], the pooled features before the classifier, if asked for.
        decode_seconds: decoding and resizing.
        queue_seconds: wait for the batch.
        inference_seconds: the batch in the engine.
    """

    predictions: list[Prediction]
    embedding: NDArray[np.float32] | None
    decode_seconds: float
    queue_seconds: float
    inference_seconds: float
