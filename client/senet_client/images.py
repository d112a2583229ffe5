"""What callers may give as an image, turned into the bytes to send."""

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import IO, TYPE_CHECKING, TypeAlias, TypeVar, cast

from senet_client.errors import ImageTooLarge, InvalidArgument, UnreadableImage

if TYPE_CHECKING:
    from PIL.Image import Image as PillowImage

ImageLike: TypeAlias = "str | os.PathLike[str] | bytes | bytearray | IO[bytes] | PillowImage"
"""A path, the encoded bytes, an open binary file, or a Pillow image."""

# The modes that a PNG file can hold (Pillow handbook, "Image file formats").
_PNG_MODES = frozenset({"1", "L", "LA", "I", "I;16", "P", "RGB", "RGBA"})


@dataclass(frozen=True, slots=True)
class EncodedImage:
    """An image as it is sent.

    Attributes:
        name: the caller's name for it: a path or a file object's name; None if it has none.
        data: the encoded image.
    """

    name: str | None
    data: bytes


def encode(image: ImageLike, max_bytes: int) -> EncodedImage:
    """Reads an image.

    A Pillow image is sent as PNG, with the orientation that its metadata tells.

    Args:
        image: what the caller gave.
        max_bytes: a larger file is not even read.

    Raises:
        UnreadableImage: if the file cannot be read.
        ImageTooLarge: if it has more than `max_bytes` bytes.
        InvalidArgument: if it is nothing that can be an image.
    """
    if isinstance(image, bytes | bytearray):
        return _checked(None, bytes(image), max_bytes)
    if isinstance(image, str | os.PathLike):
        path = os.fspath(image)
        if "://" in path:
            raise InvalidArgument(f"{path} is a URL; fetch it and pass the bytes")
        return _checked(path, _read_path(Path(path), max_bytes), max_bytes)
    # A caller who has a Pillow image has imported Pillow; nobody else need have it.
    pillow = sys.modules.get("PIL.Image")
    if pillow is not None and isinstance(image, pillow.Image):
        return _checked(getattr(image, "filename", None) or None, _to_png(image), max_bytes)
    if hasattr(image, "read"):
        return _read_file(cast("IO[bytes]", image), max_bytes)
    raise InvalidArgument(
        f"{type(image).__name__} is no image; give a path, bytes, an open binary file or a"
        " Pillow image"
    )


T = TypeVar("T")


def batches(
    items: Iterable[T], weight: Callable[[T], int], *, max_images: int, max_bytes: int
) -> Iterator[list[T]]:
    """Groups images into requests, in order; one above `max_bytes` goes alone.

    Args:
        items: what stands for an image. Taken one by one, as late as possible.
        weight: the bytes that an item adds to its request.
        max_images: most items in a group.
        max_bytes: most bytes in a group of several.
    """
    group: list[T] = []
    size = 0
    for item in items:
        added = weight(item)
        if group and (len(group) == max_images or size + added > max_bytes):
            yield group
            group, size = [], 0
        group.append(item)
        size += added
    if group:
        yield group


def _read_path(path: Path, max_bytes: int) -> bytes:
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size > max_bytes:
                raise ImageTooLarge(f"the file has {size} bytes; at most {max_bytes} are sent")
            return file.read(max_bytes + 1)
    except (OSError, ValueError) as error:  # ValueError: a null character in the path
        raise UnreadableImage(f"cannot be read: {getattr(error, 'strerror', error)}") from error


def _read_file(file: IO[bytes], max_bytes: int) -> EncodedImage:
    try:
        data = file.read(max_bytes + 1)
    except OSError as error:
        raise UnreadableImage(f"cannot be read: {error}") from error
    if not isinstance(data, bytes):
        raise InvalidArgument("the file is open for text; open it in binary mode")
    name = getattr(file, "name", None)
    return _checked(name if isinstance(name, str) else None, data, max_bytes)


def _to_png(image: "PillowImage") -> bytes:
    buffer = BytesIO()
    exif = image.getexif()
    try:
        drawable = image if image.mode in _PNG_MODES else image.convert("RGB")
        # Level 1: on a fast network the time to compress outweighs the bytes saved.
        drawable.save(buffer, "PNG", compress_level=1, exif=exif)
    except OSError as error:  # Pillow decodes lazily; this is where a bad file shows
        raise UnreadableImage(f"Pillow cannot decode it: {error}") from error
    return buffer.getvalue()


def _checked(name: str | None, data: bytes, max_bytes: int) -> EncodedImage:
    if not data:
        raise UnreadableImage("the image is empty")
    if len(data) > max_bytes:
        raise ImageTooLarge(f"the image has more than {max_bytes} bytes")
    return EncodedImage(name, data)
