"""The wire format of answers. Dictionaries with types: documented, checked and cheap to make."""

from typing import NotRequired

from typing_extensions import TypedDict

from app.contract.signature import Meaning
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


class ItemError(TypedDict):
    """Why one of several images has no predictions."""

    code: str
    title: str
    detail: str


class ItemBody(TypedDict):
    """One image: predictions, or an error. `crop` is the region that the network saw: left, top,
    right and bottom in pixels of the oriented photo.
    """

    index: int
    name: str | None
    predictions: NotRequired[list[PredictionBody]]
    crop: NotRequired[list[float]]
    embedding: NotRequired[list[float]]
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


class ModelBody(ModelReference):
    """A loaded model. `slots` runs of `threads` threads each go side by side, each of at most
    `max_batch_size` images. A run that has the cores to itself has `lone_threads`, or, where that
    is 0, `threads`.
    """

    architecture: str
    provider: str
    input: InputSize
    inputs: list[TensorBody]
    outputs: list[TensorBody]
    labels: int
    untrained: bool
    threads: int
    slots: int
    lone_threads: int
    max_batch_size: int
    chosen_by: ChosenBy


class ModelsBody(TypedDict):
    """The answer of `GET /models`."""

    models: list[ModelBody]


class StatusBody(TypedDict):
    """The answer of the health endpoints while all is well."""

    status: str
