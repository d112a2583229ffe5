"""Where the parts of `score_ray` are: in a folder that all workers see, or at a URL."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from senet_client.score import storage
from senet_client.score.failures import Stopped
from senet_client.score.formats import ParquetFormat
from senet_client.score.output import split_rows, write_part
from senet_client.score.rows import Column, Row
from senet_client.score.upload import fetch, upload


class Parts:
    """Reads and writes parts.

    Args:
        place: the folder, or the URL of one.
        columns: of the rows.
    """

    def __init__(self, place: str, columns: Sequence[Column]) -> None:
        self._place = place.rstrip("/")
        self._columns = columns
        self._format = ParquetFormat()
        self._is_remote = storage.is_remote(place)

    def write(self, part: int, rows: list[Row]) -> int:
        """Puts a part in its place, whole or not at all; returns how many rows hold an error.

        Raises:
            Stopped: if it is not taken.
        """
        if not self._is_remote:
            return write_part(Path(self._place) / name(part), self._format, self._columns, rows)
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / name(part)
            errors = write_part(file, self._format, self._columns, rows)
            upload([file], self._place, is_file=False)
        return errors

    def split(self, part: int) -> tuple[list[Row], set[int]]:
        """A part's good rows, and the indices of those that hold an error.

        Raises:
            Stopped: if it cannot be read.
        """
        if not self._is_remote:
            return split_rows(Path(self._place) / name(part), self._format, self._columns)
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / name(part)
            try:
                fetch(f"{self._place}/{name(part)}", file)
            except Exception as error:  # every remote file system has exceptions of its own
                raise Stopped(f"{self._place}/{name(part)} cannot be read ({error})") from error
            return split_rows(file, self._format, self._columns)


def name(part: int) -> str:
    """The file of a part."""
    return f"part-{part:06}.parquet"


def local_copy(place: str) -> Path:
    """A file that may be at a URL, as one of this machine; kept as long as the machine likes.

    Raises:
        Exception: whatever its storage raises.
    """
    if not storage.is_remote(place):
        return Path(place)
    file = Path(tempfile.mkdtemp(prefix="senet-score-")) / "inputs.jsonl"
    fetch(place, file)
    return file
