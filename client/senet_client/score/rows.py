"""What a row of the output holds."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from senet_client.errors import SenetClientError
from senet_client.results import Model, Prediction

Value: TypeAlias = int | float | str | None
Row: TypeAlias = tuple[Value, ...]
"""The values of `columns`, in that order."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column and the type of its values; None may stand in any."""

    name: str
    kind: Literal["int", "float", "text"]


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


def columns(top_k: int) -> tuple[Column, ...]:
    """The columns of an output with `top_k` classes a row.

    Flat, so that they are the same in CSV, JSONL and Parquet: after those of every row come
    `class_index_1`, `class_id_1`, `label_1`, `score_1`, and so on for each rank.
    """
    ranked = [
        column
        for rank in range(1, top_k + 1)
        for column in (
            Column(f"class_index_{rank}", "int"),
            Column(f"class_id_{rank}", "text"),
            Column(f"label_{rank}", "text"),
            Column(f"score_{rank}", "float"),
        )
    ]
    return (*_FIXED, *ranked)


@dataclass(frozen=True, slots=True)
class Sending:
    """How an image was asked about.

    Attributes:
        attempts: how often its request was sent; 0 if it was not.
        seconds: from the first sending to the answer, pauses included.
    """

    attempts: int
    seconds: float


def row(
    index: int,
    path: str,
    model: Model,
    answer: Sequence[Prediction] | SenetClientError,
    sending: Sending,
    top_k: int,
) -> Row:
    """The row of one image.

    Args:
        index: the input's place in the list, from 0.
        path: the input's name.
        model: what was asked.
        answer: the classes by falling score, or why there are none.
        sending: how it was asked.
        top_k: classes a row; a model with fewer leaves the rest empty.
    """
    error = answer if isinstance(answer, SenetClientError) else None
    predictions = () if isinstance(answer, SenetClientError) else answer[:top_k]
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
    for prediction in predictions:
        values += [prediction.class_index, prediction.id, prediction.label, prediction.score]
    values += [None] * (len(_FIXED) + 4 * top_k - len(values))
    return tuple(values)
