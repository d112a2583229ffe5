"""What a row of the output holds."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from senet_client.errors import SenetClientError
from senet_client.results import Model, Prediction
from senet_client.score.failures import WrongOption

if TYPE_CHECKING:
    from senet_client.results import Array

Value: TypeAlias = "int | float | str | list[float] | Array | None"
Row: TypeAlias = tuple[Value, ...]
"""The values of `columns`, in that order."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column and the type of its values; None may stand in any."""

    name: str
    kind: Literal["int", "float", "text", "floats"]


_FIXED = (
    Column("index", "int"),
    Column("path", "text"),
    Column("error_code", "text"),
    Column("error", "text"),
    Column("attempts", "int"),
    Column("duration_ms", "float"),
    Column("model", "text"),
    Column("model_version", "text"),
    Column("model_digest", "text"),
)
INDEX, PATH, ERROR_CODE = 0, 1, 2
BEST_SCORE = len(_FIXED) + 3


@dataclass(frozen=True, slots=True)
class Shape:
    """Which columns there are.

    Attributes:
        top_k: classes a row.
        margin: whether the distance of the two best scores is one.
        embedding: whether the features before the classifier are one.
        kept: the columns of the manifests that are kept.
    """

    top_k: int
    margin: bool = False
    embedding: bool = False
    kept: tuple[str, ...] = ()

    @property
    def asked(self) -> int:
        """How many classes must be asked for."""
        return max(self.top_k, 2) if self.margin else self.top_k


def columns(shape: Shape) -> tuple[Column, ...]:
    """The columns of an output.

    Flat, so that they are the same in CSV, JSONL and Parquet: after those of every row come
    `class_index_1`, `class_id_1`, `label_1`, `score_1`, and so on for each rank.

    Raises:
        WrongOption: if a column that is kept has the name of another.
    """
    found = list(_FIXED)
    for rank in range(1, shape.top_k + 1):
        found += (
            Column(f"class_index_{rank}", "int"),
            Column(f"class_id_{rank}", "text"),
            Column(f"label_{rank}", "text"),
            Column(f"score_{rank}", "float"),
        )
    if shape.margin:
        found.append(Column("margin", "float"))
    if shape.embedding:
        found.append(Column("embedding", "floats"))
    for name in shape.kept:
        if any(column.name == name for column in found):
            raise WrongOption("--keep", f"there is a column {name!r} already", "leave it out")
        found.append(Column(name, "text"))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Sending:
    """How an image was asked about.

    Attributes:
        attempts: how often its request was sent; 0 if it was not.
        seconds: from the first sending to the answer, pauses included.
    """

    attempts: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Answered:
    """What an image's classification gives to its row.

    Attributes:
        predictions: by falling score.
        embedding: float32 [dim]; None if it was not asked for.
    """

    predictions: Sequence[Prediction]
    embedding: "Array | None" = None


def row(
    index: int,
    path: str,
    model: Model,
    answer: Answered | SenetClientError,
    sending: Sending,
    shape: Shape,
    kept: Sequence[str | None] = (),
) -> Row:
    """The row of one image.

    Args:
        index: the input's place in the list, from 0.
        path: the input's name.
        model: what was asked.
        answer: what came, or why there is nothing.
        sending: how it was asked.
        shape: the columns; a model with fewer classes leaves the rest empty.
        kept: the values of the columns that are kept; none for an input of no manifest.
    """
    error = answer if isinstance(answer, SenetClientError) else None
    predictions = () if isinstance(answer, SenetClientError) else answer.predictions
    values: list[Value] = [
        index,
        path,
        error.code if error is not None else None,
        # Without image and URL: the row names the image.
        error.message.encode("utf-8", "backslashreplace").decode() if error is not None else None,
        sending.attempts,
        round(sending.seconds * 1000, 3),
        model.name,
        model.version,
        model.digest,
    ]
    for prediction in predictions[: shape.top_k]:
        values += [prediction.class_index, prediction.id, prediction.label, prediction.score]
    values += [None] * (len(_FIXED) + 4 * shape.top_k - len(values))
    if shape.margin:
        scores = [prediction.score for prediction in predictions[:2]]
        values.append(scores[0] - scores[1] if len(scores) > 1 else None)
    if shape.embedding:
        values.append(answer.embedding if isinstance(answer, Answered) else None)
    values += kept
    values += [None] * (len(shape.kept) - len(kept))
    return tuple(values)
