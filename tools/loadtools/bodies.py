"""Request bodies on disk, where the load generator takes them from."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

RAW_TYPE = "image/jpeg"
_BOUNDARY = "----photos-of-the-benchmark"


@dataclass(frozen=True, slots=True)
class Bodies:
    """Bodies to send in turn.

    Attributes:
        content_type: of each.
        files: one a body.
        images: in each.
    """

    content_type: str
    files: tuple[Path, ...]
    images: int = 1


def raw(photos: Sequence[Path]) -> Bodies:
    """Each photo as it is."""
    return Bodies(RAW_TYPE, tuple(photos))


def multipart(photos: Sequence[Path], images: int, folder: Path) -> Bodies:
    """One body of `images` photos as multipart/form-data, the photos in turn, below `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    parts = [photos[index % len(photos)] for index in range(images)]
    file = folder / f"{parts[0].stem}-{images}.multipart"
    file.write_bytes(encode([(part.name, part.read_bytes()) for part in parts]))
    return Bodies(f"multipart/form-data; boundary={_BOUNDARY}", (file,), images)


def encode(parts: Sequence[tuple[str, bytes]]) -> bytes:
    """A multipart/form-data body of files (name, content), in the form field `files`."""
    pieces = []
    for name, content in parts:
        head = (
            f"--{_BOUNDARY}\r\n"
            f'Content-Disposition: form-data; name="files"; filename="{name}"\r\n'
            f"Content-Type: {RAW_TYPE}\r\n\r\n"
        )
        pieces += [head.encode(), content, b"\r\n"]
    return b"".join([*pieces, f"--{_BOUNDARY}--\r\n".encode()])
