"""Inputs named in a column of a CSV, JSONL or Parquet file."""

import csv
import json
from collections.abc import Iterable, Iterator
from io import TextIOWrapper
from typing import IO, Any

from senet_client.score.failures import WrongOption
from senet_client.score.storage import open_file

SUFFIXES = (".csv", ".jsonl", ".ndjson", ".parquet")


def locations(manifest: str, column: str) -> Iterator[str]:
    """The paths and URLs in a manifest, one a row, as they stand there.

    Args:
        manifest: a path or URL whose suffix is one of `SUFFIXES`.
        column: the column that names the images.

    Raises:
        WrongOption: if the file cannot be read, lacks the column, or has a row without a value.
    """
    suffix = manifest[manifest.rfind(".") :].lower()
    values = {".csv": _csv, ".parquet": _parquet}.get(suffix, _jsonl)
    try:
        with open_file(manifest) as file:
            for number, value in enumerate(values(file, manifest, column), start=1):
                if not isinstance(value, str) or not value:
                    raise WrongOption(
                        "INPUT", f"{manifest}: row {number} has no {column!r}", "complete it"
                    )
                yield value
    except (OSError, ValueError, csv.Error) as error:
        raise WrongOption("INPUT", f"{manifest}: {error}", "give a readable manifest") from error


def _csv(file: IO[bytes], manifest: str, column: str) -> Iterator[Any]:
    with TextIOWrapper(file, "utf-8-sig", newline="") as text:
        reader = csv.DictReader(text, strict=True)
        _require(manifest, column, reader.fieldnames or ())
        for row in reader:
            yield row[column]


def _jsonl(file: IO[bytes], manifest: str, column: str) -> Iterator[Any]:
    for line in file:
        row = json.loads(line)
        if not isinstance(row, dict):
            raise ValueError("a line is not a JSON object")  # noqa: TRY004 - told as unreadable
        _require(manifest, column, row)
        yield row[column]


def _parquet(file: IO[bytes], manifest: str, column: str) -> Iterator[Any]:
    try:
        from pyarrow import parquet
    except ImportError as error:
        raise WrongOption(
            "INPUT", f"{manifest} needs pyarrow", "pip install 'senet-client[parquet]'"
        ) from error
    table = parquet.ParquetFile(file)
    _require(manifest, column, table.schema_arrow.names)
    for batch in table.iter_batches(columns=[column]):
        yield from batch.column(0).to_pylist()


def _require(manifest: str, column: str, columns: Iterable[str]) -> None:
    if column not in columns:
        raise WrongOption(
            "--column",
            f"{manifest} has no column {column!r}, only {', '.join(columns) or 'none'}",
            "name the one that holds the images' paths",
        )
