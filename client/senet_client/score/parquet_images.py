"""Images that stand in a column of a Parquet file, as data sets of Hugging Face have them."""

import threading
from bisect import bisect_right
from functools import lru_cache
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from senet_client.errors import ImageTooLarge, UnreadableImage
from senet_client.score import storage

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow import parquet

_PROTOCOL = "parquet://"
_LOCK = threading.Lock()


def holds_images(field: "pa.Field[Any]") -> bool:
    """Whether a column holds encoded images: bytes, or a struct with a field `bytes`."""
    import pyarrow as pa

    kind = field.type
    if pa.types.is_struct(kind):
        return any(
            kind.field(place).name == "bytes" and holds_images(kind.field(place))
            for place in range(kind.num_fields)
        )
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def name_of(file: str, column: str, row: int) -> str:
    """How the output names an image; `of_name` reads it."""
    return f"{_PROTOCOL}{column}/{row}::{file}"


def of_name(name: str) -> tuple[str, str, int] | None:
    """File, column and row of an image's name; None if it is none."""
    inner, chain, file = name.removeprefix(_PROTOCOL).partition("::")
    column, slash, row = inner.rpartition("/")
    if not (name.startswith(_PROTOCOL) and chain and slash and row.isascii() and row.isdigit()):
        return None
    return file, column, int(row)


def read(file: str, column: str, row: int, max_bytes: int) -> bytes:
    """The encoded image in a row.

    Args:
        file: absolute path or URL.
        column: its name.
        row: its place, from 0.
        max_bytes: a larger one is not given.

    Raises:
        UnreadableImage: if the row is not there or holds none.
        ImageTooLarge: if it has more bytes.
        Exception: whatever the storage or the reader raises.
    """
    # Rows are read in order by several threads: one reads their group, the others find it.
    with _LOCK:
        _, ends = _opened(file)
        if not 0 <= row < (ends[-1] if ends else 0):
            raise UnreadableImage(f"the file has no row {row}")
        group = bisect_right(ends, row)
        values = _group(file, column, group)
    value: Any = values[row - (ends[group - 1] if group else 0)].as_py()
    data = value.get("bytes") if isinstance(value, dict) else value
    if not isinstance(data, bytes) or not data:
        raise UnreadableImage("the row holds no image")
    if len(data) > max_bytes:
        raise ImageTooLarge(f"{len(data)} bytes; at most {max_bytes} are sent (--max-image-bytes)")
    return data


@lru_cache(maxsize=4)
def _opened(file: str) -> "tuple[parquet.ParquetFile, list[int]]":
    """The file, and the row after the last of each group."""
    from pyarrow import parquet

    if storage.is_remote(file):
        opened = parquet.ParquetFile(storage.open_file(file))
    else:
        with storage.open_file(file):  # refuses what is not a regular file
            pass
        # By its name, for Arrow closes only what it has opened.
        opened = parquet.ParquetFile(file)
    told = opened.metadata
    groups = (told.row_group(number).num_rows for number in range(told.num_row_groups))
    return opened, list(accumulate(groups))


@lru_cache(maxsize=2)
def _group(file: str, column: str, group: int) -> "pa.ChunkedArray[Any]":
    """A column of a group; two are kept, which is what rows in order need."""
    return _opened(file)[0].read_row_group(group, columns=[column]).column(0)
