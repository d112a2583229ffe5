"""What is asked of a model, and what it answers."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from app.contract.geometry import Box
from app.contract.manifest import Label
from app.contract.oriented_photo import OrientedPhoto
from app.contract.ranking import RankedClass
from app.contract.signature import Include


@dataclass(frozen=True, slots=True)
class ClassifyOptions:
    """What one request asks for.

    Attributes:
        top_k: most classes per image.
        min_score: classes below it are left out.
        include: outputs beyond the classes.
        coverage: of the set that holds the true class; None for no set.
        photo_longest: longest side, in pixels, of the photo that is wanted back; 0 for none.
        outputs: names of the signature's outputs to return as they are.
        judged: whether photos unlike those of the export are told, where the model can.
    """

    top_k: int = 5
    min_score: float = 0.0
    include: frozenset[Include] = frozenset()
    coverage: float | None = None
    photo_longest: int = 0
    outputs: frozenset[str] = frozenset()
    judged: bool = False


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
        crop: the region that the network saw, in pixels of the oriented photo.
        embedding: float32 [dim], the pooled features before the classifier, if asked for.
        decode_seconds: decoding and resizing.
        queue_seconds: what it waited for a thread and for its batch.
        inference_seconds: its batch in the engine.
        prediction_set: by falling score, the classes that hold the true one with the coverage asked
            for; None if none was.
        best: the class with the highest score, whatever is asked for.
        is_rejected: whether the photo is unlike those of the export; false if nobody asked.
        photo: upright and small, if asked for.
        outputs: the image's part, without the batch's axis, of each of the signature's outputs
            that were asked for by name.
        excitations: float32 [channels] of each block, its gates, if asked for.
    """

    predictions: list[Prediction]
    crop: Box
    embedding: NDArray[np.float32] | None
    decode_seconds: float
    queue_seconds: float
    inference_seconds: float
    prediction_set: list[Prediction] | None = None
    best: RankedClass | None = None
    is_rejected: bool = False
    photo: OrientedPhoto | None = None
    outputs: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    excitations: Mapping[str, NDArray[np.float32]] | None = None
