"""Inputs named in a column of a CSV, JSONL or Parquet file, which may hold them itself."""

import csv
import json
from collections.abc import Collection, Iterator, Sequence
from io import TextIOWrapper
from typing import IO, NamedTuple, TypeAlias

from senet_client.extras import how_to_install
from senet_client.score.failures import WrongOption
from senet_client.score.parquet_images import holds_images
from senet_client.score.storage import inner_name, open_file

SUFFIXES = (".csv", ".jsonl", ".ndjson", ".parquet")


# By these an output of this command is known, which may be a manifest too.
_OF_AN_OUTPUT = frozenset({"index", "path", "error_code", "model_digest"})
# In the place of a path, where the image itself stands.
_IN_PLACE = object()


class Entry(NamedTuple):
    """One row of a manifest.

    Attributes:
        location: the path or URL as it stands there; None where the image itself stands there.
        kept: the values of the columns that are kept.
        ours: whether the manifest is an output of this command.
    """

    location: str | None
    kept: tuple[str | None, ...]
    ours: bool


def entries(manifest: str, column: str, keep: Sequence[str]) -> Iterator[Entry]:
    """The rows of a manifest. Empty lines are none.

    Args:
        manifest: a path or URL whose suffix is one of `SUFFIXES`.
        column: the column that names the images, or in Parquet holds them.
        keep: further columns whose values are wanted, as text.

    Raises:
        WrongOption: if the file cannot be read, lacks a column, or has a row without a value.
    """
    inner = inner_name(manifest)
    suffix = inner[inner.rfind(".") :].lower()
    rows = {".csv": _csv, ".parquet": _parquet}.get(suffix, _jsonl)
    try:
        with open_file(manifest) as file:
            for number, found in enumerate(rows(file, manifest, column, keep), start=1):
                value, kept, ours = found
                if value is not _IN_PLACE and (not isinstance(value, str) or not value):
                    raise WrongOption(
                        "INPUT", f"{manifest}: row {number} has no {column!r}", "complete it"
                    )
                location = None if value is _IN_PLACE else str(value)
                yield Entry(location, tuple(map(_text, kept)), ours and column == "path")
    except (OSError, ValueError, csv.Error) as error:
        raise WrongOption("INPUT", f"{manifest}: {error}", "give a readable manifest") from error


_Found: TypeAlias = tuple[object, list[object], bool]


def _csv(file: IO[bytes], manifest: str, column: str, keep: Sequence[str]) -> Iterator[_Found]:
    with TextIOWrapper(file, "utf-8-sig", newline="") as text:
        reader = csv.DictReader(text, strict=True)
        names = reader.fieldnames or ()
        _require(manifest, column, keep, names)
        ours = set(names) >= _OF_AN_OUTPUT
        for row in reader:
            yield row[column], [row[name] for name in keep], ours


def _jsonl(file: IO[bytes], manifest: str, column: str, keep: Sequence[str]) -> Iterator[_Found]:
    for number, line in enumerate(file):
        # Windows' editors begin a file with a byte order mark.
        text = line.decode("utf-8-sig" if number == 0 else "utf-8").strip()
        if not text:
            continue
        row = json.loads(text)
        if not isinstance(row, dict):
            raise ValueError("a line is not a JSON object")  # noqa: TRY004 - told as unreadable
        _require(manifest, column, keep, row)
        yield row[column], [row[name] for name in keep], row.keys() >= _OF_AN_OUTPUT


def _parquet(file: IO[bytes], manifest: str, column: str, keep: Sequence[str]) -> Iterator[_Found]:
    try:
        from pyarrow import parquet
    except ImportError as error:
        raise WrongOption(
            "INPUT", f"{manifest} needs pyarrow", how_to_install("parquet")
        ) from error
    table = parquet.ParquetFile(file)
    schema = table.schema_arrow
    _require(manifest, column, keep, schema.names)
    ours = set(schema.names) >= _OF_AN_OUTPUT
    in_place = holds_images(schema.field(column))
    read = [*keep] if in_place else [column, *keep]
    for batch in table.iter_batches(columns=read):
        listed = [batch.column(name).to_pylist() for name in read]
        for number in range(batch.num_rows):
            row = [values[number] for values in listed]
            yield (_IN_PLACE, row, ours) if in_place else (row[0], row[1:], ours)


def _text(value: object) -> str | None:
    """A value of a column that is kept, as text: CSV has nothing else."""
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, default=str)


def _require(manifest: str, column: str, keep: Sequence[str], columns: Collection[str]) -> None:
    for option, name in (("--column", column), *(("--keep", name) for name in keep)):
        if name not in columns:
            raise WrongOption(
                option,
                f"{manifest} has no column {name!r}, only {', '.join(columns) or 'none'}",
                "name the one that holds the images' paths"
                if option == "--column"
                else "leave it out, or name one of these",
            )
