"""What the service answers, typed."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from senet_client.errors import SenetClientError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Array: TypeAlias = "NDArray[np.float32]"
"""A float32 array; without NumPy nested lists of float stand in its place."""


@dataclass(frozen=True, slots=True)
class Sent:
    """How a request was sent until its answer came.

    Attributes:
        attempts: how often.
        seconds: from the first time to the answer, pauses included.
    """

    attempts: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Timing:
    """How long the request of an answer took, in milliseconds.

    Attributes:
        total_ms: from first sending to the answer, with further attempts and the pauses between.
        decode_ms: for its images to be decoded; None where the service does not tell.
        queue_ms: until their batch began; likewise.
        inference_ms: of the batch in the network; likewise.
    """

    total_ms: float
    decode_ms: float | None = None
    queue_ms: float | None = None
    inference_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Model:
    """Which model answered, exactly.

    Attributes:
        name: the model's name.
        version: its version.
        precision: fp32, fp16 or int8.
        digest: `sha256:<hex>` of the ONNX file.
        preprocessing: `sha256:<hex>` of how images become the network's input.
    """

    name: str
    version: str
    precision: str
    digest: str
    preprocessing: str


@dataclass(frozen=True, slots=True)
class LoadedModel(Model):
    """A model that the service has loaded.

    Attributes:
        architecture: the network.
        provider: what runs it: cpu, cuda or tensorrt.
        height: of the network's input, in pixels.
        width: of the network's input, in pixels.
        labels: how many classes it tells apart.
        exif_transpose: whether photos are turned as their EXIF data say.
    """

    architecture: str
    provider: str
    height: int
    width: int
    labels: int
    exif_transpose: bool = True


@dataclass(frozen=True, slots=True)
class BlockGates:
    """What the gates of one SE block did over the photos of a class.

    Attributes:
        mean: float32 [channels], between 0 and 1.
        spread: float32 [channels], the standard deviation over the photos.
    """

    mean: "Array"
    spread: "Array"


@dataclass(frozen=True, slots=True)
class ClassGates:
    """What the gates of all SE blocks did over the photos of a class at the export.

    Attributes:
        label: the class's readable name.
        dataset: where the photos are from.
        photos: how many there were.
        blocks: by the block's name, as in `Classification.excitations`.
    """

    label: str
    dataset: str
    photos: int
    blocks: Mapping[str, BlockGates] = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Prediction:
    """One class for one image.

    Attributes:
        rank: 1 for the best.
        class_index: position among the model's outputs.
        id: the class's identifier, e.g. a WordNet id.
        label: the class's readable name.
        score: between 0 and 1; the scores of all classes sum to 1.
        cam: float32 [h, w], the class activation map in units of logits; None unless asked for.
    """

    rank: int
    class_index: int
    id: str
    label: str
    score: float
    cam: "Array | None" = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class SetMember:
    """One class of a prediction set.

    Attributes:
        class_index: position among the model's outputs.
        id: the class's identifier.
        label: the class's readable name.
        score: between 0 and 1.
    """

    class_index: int
    id: str
    label: str
    score: float


@dataclass(frozen=True, slots=True)
class Classification:
    """The answer for one image.

    Attributes:
        name: the caller's name for the image, if it has one.
        model: what answered.
        predictions: by falling score.
        request_id: the request's name in the service's log.
        embedding: float32 [dim], the pooled features before the classifier; None unless asked
            for.
        crop: the region that the network saw: left, top, right and bottom in pixels of the photo,
            turned as the model's `exif_transpose` says; None from a service that does not tell.
        excitations: float32 [channels] of each SE block, its gates between 0 and 1, by the block's
            name; None unless asked for.
        prediction_set: the classes that hold the true one with the probability that `coverage`
            names, perhaps none; None unless asked for.
        index: of the image in its request, which `Label` asks for.
        rejected: whether the service says that the image is unlike those that the model was
            exported with, so that the answer means little, whatever its scores.
        reason: why it was rejected; None if it was not.
        attempts: how often its request was sent.
        timing: how long its request took, together with the other images in it.
    """

    name: str | None
    model: Model
    predictions: tuple[Prediction, ...]
    request_id: str
    embedding: "Array | None" = field(default=None, compare=False, repr=False)
    crop: tuple[float, float, float, float] | None = None
    excitations: "Mapping[str, Array] | None" = field(default=None, compare=False, repr=False)
    prediction_set: tuple[SetMember, ...] | None = None
    index: int = 0
    rejected: bool = False
    reason: str | None = None
    attempts: int = field(default=1, compare=False)
    timing: Timing | None = field(default=None, compare=False, repr=False)

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON has it: arrays are lists, what was not asked for is None."""
        found: dict[str, Any] = plain(self)
        return found


Result: TypeAlias = Classification | SenetClientError
"""One image of several: its classification, or the error that it alone has."""


@dataclass(frozen=True, slots=True)
class Batch:
    """The answer to one request.

    Attributes:
        model: what answered.
        results: one for each image, in order.
        request_id: the request's name in the service's log.
        attempts: how often the request was sent.
        timing: how long it took.
    """

    model: Model
    results: tuple[Result, ...]
    request_id: str
    attempts: int
    timing: Timing | None = field(default=None, compare=False)

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON has it; see `Classification.to_dict`, `SenetClientError.to_dict`."""
        own = {"model": plain(self.model), "results": [one.to_dict() for one in self.results]}
        timing = None if self.timing is None else plain(self.timing)
        return {
            **own,
            "request_id": self.request_id,
            "attempts": self.attempts,
            "timing": timing,
        }


def plain(value: Any) -> Any:  # noqa: ANN401 - whatever a result holds
    """A result as JSON has it."""
    if is_dataclass(value):
        return {part.name: plain(getattr(value, part.name)) for part in fields(value)}
    if isinstance(value, Mapping):
        return {name: plain(part) for name, part in value.items()}
    if isinstance(value, tuple | list):
        return [plain(part) for part in value]
    return value.tolist() if hasattr(value, "tolist") else value


def to_array(values: list[Any]) -> "Array":
    """Nested lists of numbers as a float32 array, or as they are where NumPy is missing."""
    try:
        import numpy as np
    except ImportError:
        return cast("Array", values)
    return np.asarray(values, dtype=np.float32)
