"""Rows in files: CSV, JSONL and Parquet."""

import csv
import json
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

from senet_client.extras import how_to_install
from senet_client.score.failures import WrongOption
from senet_client.score.rows import Column, Row, Value

if TYPE_CHECKING:
    import pyarrow as pa


_ERROR_CODE = "error_code"


class Format(Protocol):
    """One file format. Files are read back to score anew the rows that failed."""

    def write(self, path: Path, columns: Sequence[Column], rows: Iterable[Row]) -> None:
        """Writes a file of rows."""
        ...

    def read(self, path: Path, columns: Sequence[Column]) -> list[Row]:
        """Reads what `write` wrote."""
        ...

    def error_codes(self, path: Path) -> Iterator[str | None]:
        """The column `error_code` of a file, row by row.

        Raises:
            LookupError: if it has no such column.
            Exception: whatever its reader raises of a file that is of another format.
        """
        ...

    def merge(self, parts: Iterable[Path], path: Path) -> None:
        """Writes one file that holds the rows of all parts, in order. There is at least one."""
        ...


class CsvFormat:
    """Comma-separated values, UTF-8, with a header, quoted as RFC 4180 says; None is empty."""

    def write(self, path: Path, columns: Sequence[Column], rows: Iterable[Row]) -> None:
        """See `Format`."""
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow([column.name for column in columns])
            writer.writerows(rows)

    def read(self, path: Path, columns: Sequence[Column]) -> list[Row]:
        """See `Format`."""
        convert: dict[str, type] = {"int": int, "float": float, "text": str}
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.reader(file)
            next(reader)
            return [
                tuple(
                    convert[column.kind](text) if text else None
                    for column, text in zip(columns, line, strict=True)
                )
                for line in reader
            ]

    def error_codes(self, path: Path) -> Iterator[str | None]:
        """See `Format`."""
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                yield row[_ERROR_CODE] or None

    def merge(self, parts: Iterable[Path], path: Path) -> None:
        """See `Format`."""
        with path.open("wb") as merged:
            for number, part in enumerate(parts):
                with part.open("rb") as file:
                    header = file.readline()
                    if number == 0:
                        merged.write(header)
                    shutil.copyfileobj(file, merged)


class JsonlFormat:
    """One JSON object a line; every column is there in every line."""

    def write(self, path: Path, columns: Sequence[Column], rows: Iterable[Row]) -> None:
        """See `Format`."""
        names = [column.name for column in columns]
        with path.open("w", encoding="utf-8") as file:
            for row in rows:
                named = dict(zip(names, row, strict=True))
                file.write(json.dumps(named, ensure_ascii=False, default=_listed))
                file.write("\n")

    def read(self, path: Path, columns: Sequence[Column]) -> list[Row]:
        """See `Format`."""
        with path.open(encoding="utf-8") as file:
            objects = [json.loads(line) for line in file]
        return [tuple(found[column.name] for column in columns) for found in objects]

    def error_codes(self, path: Path) -> Iterator[str | None]:
        """See `Format`."""
        with path.open(encoding="utf-8") as file:
            for line in file:
                yield json.loads(line)[_ERROR_CODE]

    def merge(self, parts: Iterable[Path], path: Path) -> None:
        """See `Format`."""
        with path.open("wb") as merged:
            for part in parts:
                with part.open("rb") as file:
                    shutil.copyfileobj(file, merged)


class ParquetFormat:
    """Parquet: int64, float64 and string columns; one row group a part.

    Raises:
        WrongOption: if pyarrow is not installed.
    """

    def __init__(self) -> None:
        try:
            import pyarrow.parquet  # noqa: F401 - better missed now than after a night
        except ImportError as error:
            raise WrongOption(
                "--output",
                "Parquet needs pyarrow",
                f"{how_to_install('parquet')}; or name a .csv or .jsonl file",
            ) from error

    def write(self, path: Path, columns: Sequence[Column], rows: Iterable[Row]) -> None:
        """See `Format`."""
        import pyarrow as pa
        from pyarrow import parquet

        schema = _schema(columns)
        values: list[list[Value]] = [list(column) for column in zip(*rows, strict=True)]
        values = values or [[] for _ in columns]
        arrays = [
            pa.array(column, field.type) for column, field in zip(values, schema, strict=True)
        ]
        parquet.write_table(pa.Table.from_arrays(arrays, schema=schema), path)

    def read(self, path: Path, columns: Sequence[Column]) -> list[Row]:
        """See `Format`."""
        from pyarrow import parquet

        # ParquetFile and not read_table, which takes key=value folders on the way for columns.
        with parquet.ParquetFile(path) as file:
            table = file.read([column.name for column in columns])
        return list(zip(*(column.to_pylist() for column in table.columns), strict=True))

    def error_codes(self, path: Path) -> Iterator[str | None]:
        """See `Format`."""
        from pyarrow import parquet

        with parquet.ParquetFile(path) as file:
            file.schema_arrow.field(_ERROR_CODE)
            for batch in file.iter_batches(columns=[_ERROR_CODE]):
                yield from batch.column(0).to_pylist()

    def merge(self, parts: Iterable[Path], path: Path) -> None:
        """See `Format`."""
        from pyarrow import parquet

        remaining: Iterator[Path] = iter(parts)
        with parquet.ParquetFile(next(remaining)) as file:
            first = file.read()
        with parquet.ParquetWriter(path, first.schema) as writer:
            writer.write_table(first)
            for part in remaining:
                with parquet.ParquetFile(part) as file:
                    writer.write_table(file.read())


SUFFIXES: Mapping[str, str] = MappingProxyType(
    {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet"}
)
"""Suffixes of output files, and the format that each means."""

FORMATS: Mapping[str, type[Format]] = MappingProxyType(
    {"csv": CsvFormat, "jsonl": JsonlFormat, "parquet": ParquetFormat}
)


def _schema(columns: Sequence[Column]) -> "pa.Schema":
    import pyarrow as pa

    types: dict[str, pa.DataType] = {
        "int": pa.int64(),
        "float": pa.float64(),
        "text": pa.string(),
        "floats": pa.list_(pa.float32()),
    }
    return pa.schema([pa.field(column.name, types[column.kind]) for column in columns])


def _listed(array: Any) -> Any:  # noqa: ANN401 - a NumPy array
    return array.tolist()
