"""One image to score: where it is, and how it is read."""

from dataclasses import dataclass

from senet_client.errors import UnreadableImage
from senet_client.score import fetch, parquet_images


@dataclass(frozen=True, slots=True)
class Input:
    """One image to score.

    Attributes:
        path: its name in the output: the path as the argument gives it, `file.tar::member`'s
            URL in fsspec's chained form for members of archives.
        file: absolute path or URL of the file that holds it.
        offset: where in the file the image begins, in bytes; None for a whole file.
        length: of the image in bytes; None for a whole file whose size the listing does not tell.
        error: why it cannot be read, where listing it has shown that.
        column: of a Parquet file, if the image stands in one.
        row: its place there, from 0.
        kept: values of the columns of its manifest that are kept; None if it is of none.
    """

    path: str
    file: str
    offset: int | None = None
    length: int | None = None
    error: str | None = None
    column: str | None = None
    row: int | None = None
    kept: tuple[str | None, ...] | None = None

    def read(self, max_bytes: int) -> bytes:
        """The encoded image.

        Raises:
            ImageError: if it cannot be read or has more than `max_bytes` bytes.
            OutOfReach: if its storage does not answer.
        """
        if self.error is not None:
            raise UnreadableImage(self.error)
        if self.column is not None and self.row is not None:
            column, row = self.column, self.row
            return fetch.telling(
                self.file, lambda: parquet_images.read(self.file, column, row, max_bytes)
            )
        return fetch.read(self.file, self.offset, self.length, max_bytes)
