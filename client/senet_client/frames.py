"""Classes as columns of a data frame, of pandas or of polars."""

from typing import TYPE_CHECKING, Any, TypeVar, Unpack

from senet_client.client import Client
from senet_client.errors import InvalidArgument, SenetClientError
from senet_client.requests import ClassifyOptions
from senet_client.results import Result

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

Frame = TypeVar("Frame", "pd.DataFrame", "pl.DataFrame")


def classify_frame(
    client: Client,
    frame: Frame,
    *,
    column: str = "path",
    prefix: str = "",
    concurrency: int = 4,
    timeout: float | None = None,
    **options: Unpack[ClassifyOptions],
) -> Frame:
    """Classifies the images that a column holds. Every row stays, also where its image fails.

    For more rows than fit into memory, or a run that must survive being stopped, there is
    `senet-client score`, whose columns have the same names.

    Args:
        client: asks the service.
        frame: of pandas or polars; it is not changed.
        column: holds paths, bytes, or whatever else is an image.
        prefix: put before the names of the new columns.
        concurrency: requests under way at once.
        timeout: seconds for each request, retries included.
        options: see `ClassifyOptions`; by default `top_k` is 1 and `priority` is `bulk`.

    Returns:
        The frame with the columns `error_code` and `error`, for each rank N up to `top_k`
        `class_index_N`, `class_id_N`, `label_N` and `score_N`, and `embedding` if that is
        included.

    Raises:
        InvalidArgument: if it is not a data frame, lacks the column, or has one of the new ones.
        SenetClientError: if a request as a whole fails.
    """
    kind = type(frame).__module__.partition(".")[0]
    if kind not in ("pandas", "polars"):
        raise InvalidArgument(f"{type(frame).__name__} is not a pandas or polars data frame")
    if column not in frame.columns:
        raise InvalidArgument(f"the frame has no column {column!r}")
    asked: ClassifyOptions = {"top_k": 1, "priority": "bulk", **options}
    names = _names(asked["top_k"], with_embedding="embedding" in asked.get("include", ()))
    taken = [f"{prefix}{name}" for name in names if f"{prefix}{name}" in frame.columns]
    if taken:
        raise InvalidArgument(f"the frame has a column {taken[0]!r} already; give a prefix")
    images: list[Any] = frame[column].to_list()
    results = client.classify_many(images, concurrency=concurrency, timeout=timeout, **asked)
    values: dict[str, list[object]] = {name: [] for name in names}
    for result in results:
        row = _row(result)
        for name, column_values in values.items():
            column_values.append(row.get(name))
    return _joined(frame, {f"{prefix}{name}": found for name, found in values.items()})


def _names(top_k: int, *, with_embedding: bool) -> list[str]:
    ranked = [
        f"{name}_{rank}"
        for rank in range(1, top_k + 1)
        for name in ("class_index", "class_id", "label", "score")
    ]
    return ["error_code", "error", *ranked, *(["embedding"] if with_embedding else [])]


def _row(result: Result) -> dict[str, object]:
    if isinstance(result, SenetClientError):
        return {"error_code": result.code, "error": result.message}
    row: dict[str, object] = {"embedding": result.embedding}
    for found in result.predictions:
        row[f"class_index_{found.rank}"] = found.class_index
        row[f"class_id_{found.rank}"] = found.id
        row[f"label_{found.rank}"] = found.label
        row[f"score_{found.rank}"] = found.score
    return row


def _joined(frame: Frame, columns: dict[str, list[object]]) -> Frame:
    table: Any = frame
    joined: Frame
    if type(frame).__module__.startswith("pandas"):
        import pandas as pd

        # Without the conversion a column of numbers that lacks one would be one of floats.
        added = pd.DataFrame(columns, index=table.index).convert_dtypes()
        parts: list[Any] = [table, added]
        together: Any = pd.concat(parts, axis=1)
        joined = together
    else:
        import polars as pl

        joined = table.hstack(pl.DataFrame(columns))
    return joined
