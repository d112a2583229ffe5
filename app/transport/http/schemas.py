"""The wire format of answers. Dictionaries with types: documented, checked and cheap to make."""

from typing import Literal, NotRequired

from typing_extensions import TypedDict

from app.contract.reference import Signal
from app.contract.signature import Meaning
from app.inference.jobs import Action
from app.selection.candidates import ChosenBy


class ModelReference(TypedDict):
    """Which model answered, exactly."""

    name: str
    version: str
    precision: str
    digest: str
    preprocessing: str


class PredictionBody(TypedDict):
    """One class. `cam` [h][w] is its class activation map, if asked for."""

    rank: int
    class_index: int
    id: str
    label: str
    score: float
    cam: NotRequired[list[list[float]]]


class SetMember(TypedDict):
    """One class of a prediction set."""

    class_index: int
    id: str
    label: str
    score: float


class ItemError(TypedDict):
    """Why one of several images has no predictions."""

    code: str
    title: str
    detail: str


class ItemBody(TypedDict):
    """One image: predictions, or an error. `crop` is the region that the network saw: left, top,
    right and bottom in pixels of the oriented photo. `excitations`, if asked for, are the gates of
    each SE block, by its name. `prediction_set`, if asked for, may be empty. `rejected` stands
    where the photo is unlike those of the export, with `reason`: whatever the scores, the answer
    means little.
    """

    index: int
    name: str | None
    predictions: NotRequired[list[PredictionBody]]
    crop: NotRequired[list[float]]
    embedding: NotRequired[list[float]]
    excitations: NotRequired[dict[str, list[float]]]
    prediction_set: NotRequired[list[SetMember]]
    rejected: NotRequired[Literal[True]]
    reason: NotRequired[str]
    error: NotRequired[ItemError]


class ClassifyBody(TypedDict):
    """The answer of `POST /classify`."""

    model: ModelReference
    results: list[ItemBody]


class InputSize(TypedDict):
    """Size of the network's input in pixels."""

    height: int
    width: int


class TensorBody(TypedDict):
    """An input or output of a model. Its shape begins with the batch, by a name."""

    name: str
    shape: list[str | int]
    dtype: str
    meaning: Meaning


class SelfTestBody(TypedDict):
    """How far the engine's logits were from the golden ones on this machine, at most, and the
    most that is allowed.
    """

    difference: float
    tolerance: float


class GatesBody(TypedDict):
    """What the gates of one SE block did over the photos of the export."""

    block: str
    mean: float
    spread: float


class BlockOfClassBody(TypedDict):
    """Means and standard deviations of one block's gates, channel by channel."""

    mean: list[float]
    spread: list[float]


class ClassGatesBody(TypedDict):
    """What the gates of each SE block did over the photos of one class."""

    class_index: int
    id: str
    label: str
    dataset: str
    photos: int
    blocks: dict[str, BlockOfClassBody]


class ModelBody(ModelReference):
    """A loaded version of a model. `slots` runs of `threads` threads each go side by side, each of
    at most `max_batch_size` images. A run that has the cores to itself has `lone_threads`, or,
    where that is 0, `threads`. `labels` is the number of its classes, `exif_transpose` whether
    photos are turned as their EXIF data say.
    """

    state: Literal["ready", "draining"]

    architecture: str
    provider: str
    input: InputSize
    exif_transpose: bool
    inputs: list[TensorBody]
    outputs: list[TensorBody]
    labels: int
    untrained: bool
    threads: int
    slots: int
    lone_threads: int
    max_batch_size: int
    chosen_by: ChosenBy
    self_test: SelfTestBody
    gates: list[GatesBody]


class JobBody(TypedDict):
    """A change of what is loaded: where it stands, and why it failed."""

    id: str
    action: Action
    version: str
    state: Literal["running", "done", "failed"]
    step: str
    error: NotRequired[str]
    seconds: NotRequired[float]


class ModelStatusBody(TypedDict):
    """The answer of `GET /models/{m}`: its versions, the version that each label points to, how
    many of 100 requests each version answers where there is a split, and its last jobs, the newest
    first.
    """

    name: str
    default: bool
    labels: dict[str, str]
    split: dict[str, int]
    shadow: dict[str, int]
    versions: list[ModelBody]
    jobs: list[JobBody]


class SignalDriftBody(TypedDict):
    """One signal in the last window of 64 or of 1,024 images: the root mean square difference from
    the reference in standard deviations, the most that chance explains, of how many images it was
    read, and since when it has been above. Nothing is told of a window that has not been full yet.
    """

    signal: Signal
    window: int
    value: float | None
    threshold: float | None
    images: int
    exceeded: bool
    since: str | None


class ReferenceBody(TypedDict):
    """The photos that live ones are compared with."""

    dataset: str
    images: int


class VersionDriftBody(TypedDict):
    """A version: its reference, or in `detail` why it has none, and its signals."""

    version: str
    precision: str
    reference: ReferenceBody | None
    detail: NotRequired[str]
    images: int
    signals: list[SignalDriftBody]


class DriftBody(TypedDict):
    """The answer of `GET /models/{m}/drift`."""

    name: str
    versions: list[VersionDriftBody]


class FeedbackItemBody(TypedDict):
    """One label: whether the answer's best class was right, or why the label is not accepted."""

    right: NotRequired[bool]
    error: NotRequired[ItemError]


class FeedbackBody(TypedDict):
    """The answer of `POST /feedback`: how many labels are accepted, and each of them in order."""

    accepted: int
    results: list[FeedbackItemBody]


class JobStartedBody(TypedDict):
    """The answer to what takes time; `GET /models/{m}` tells how it goes on."""

    job: JobBody


class ModelsBody(TypedDict):
    """The answer of `GET /models`: every version that is ready, the default model's first."""

    models: list[ModelBody]


class StatusBody(TypedDict):
    """The answer of the health endpoints while all is well."""

    status: str
