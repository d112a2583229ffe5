"""Inputs named in a column of a CSV, JSONL or Parquet file."""

import csv
import json
from collections.abc import Collection, Iterator
from io import TextIOWrapper
from typing import IO, Any

from senet_client.extras import how_to_install
from senet_client.score.failures import WrongOption
from senet_client.score.storage import inner_name, open_file

SUFFIXES = (".csv", ".jsonl", ".ndjson", ".parquet")


# By these an output of this command is known, which may be a manifest too.
_OF_AN_OUTPUT = frozenset({"index", "path", "error_code", "model_digest"})


def locations(manifest: str, column: str) -> Iterator[tuple[str, bool]]:
    """The paths and URLs in a manifest, one a row, as they stand there.

    Each with whether the manifest is an output of this command. Empty lines are no rows.

    Args:
        manifest: a path or URL whose suffix is one of `SUFFIXES`.
        column: the column that names the images.

    Raises:
        WrongOption: if the file cannot be read, lacks the column, or has a row without a value.
    """
    inner = inner_name(manifest)
    suffix = inner[inner.rfind(".") :].lower()
    values = {".csv": _csv, ".parquet": _parquet}.get(suffix, _jsonl)
    try:
        with open_file(manifest) as file:
            for number, (value, ours) in enumerate(values(file, manifest, column), start=1):
                if not isinstance(value, str) or not value:
                    raise WrongOption(
                        "INPUT", f"{manifest}: row {number} has no {column!r}", "complete it"
                    )
                yield value, ours and column == "path"
    except (OSError, ValueError, csv.Error) as error:
        raise WrongOption("INPUT", f"{manifest}: {error}", "give a readable manifest") from error


def _csv(file: IO[bytes], manifest: str, column: str) -> Iterator[tuple[Any, bool]]:
    with TextIOWrapper(file, "utf-8-sig", newline="") as text:
        reader = csv.DictReader(text, strict=True)
        names = reader.fieldnames or ()
        _require(manifest, column, names)
        ours = set(names) >= _OF_AN_OUTPUT
        for row in reader:
            yield row[column], ours


def _jsonl(file: IO[bytes], manifest: str, column: str) -> Iterator[tuple[Any, bool]]:
    for number, line in enumerate(file):
        # Windows' editors begin a file with a byte order mark.
        text = line.decode("utf-8-sig" if number == 0 else "utf-8").strip()
        if not text:
            continue
        row = json.loads(text)
        if not isinstance(row, dict):
            raise ValueError("a line is not a JSON object")  # noqa: TRY004 - told as unreadable
        _require(manifest, column, row)
        yield row[column], row.keys() >= _OF_AN_OUTPUT


def _parquet(file: IO[bytes], manifest: str, column: str) -> Iterator[tuple[Any, bool]]:
    try:
        from pyarrow import parquet
    except ImportError as error:
        raise WrongOption(
            "INPUT", f"{manifest} needs pyarrow", how_to_install("parquet")
        ) from error
    table = parquet.ParquetFile(file)
    _require(manifest, column, table.schema_arrow.names)
    ours = set(table.schema_arrow.names) >= _OF_AN_OUTPUT
    for batch in table.iter_batches(columns=[column]):
        for value in batch.column(0).to_pylist():
            yield value, ours


def _require(manifest: str, column: str, columns: Collection[str]) -> None:
    if column not in columns:
        raise WrongOption(
            "--column",
            f"{manifest} has no column {column!r}, only {', '.join(columns) or 'none'}",
            "name the one that holds the images' paths",
        )
