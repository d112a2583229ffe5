"""What callers may give as an image, turned into the bytes to send."""

import errno
import io
import os
import stat
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, Generic, TypeAlias, TypeGuard, TypeVar, cast

from senet_client.errors import ImageError, ImageTooLarge, InvalidArgument, UnreadableImage

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image as PillowImage

ImageLike: TypeAlias = (
    "str | os.PathLike[str] | bytes | bytearray | memoryview | IO[bytes] | PillowImage"
    " | NDArray[np.uint8]"
)
"""A path, the encoded bytes, an open binary file, a Pillow image, or a NumPy array.

An array is uint8 [height, width, 3] in RGB, [height, width, 4] in RGBA, or [height, width].
"""

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

    A Pillow image is sent as PNG, with the orientation that its metadata tells; an array as PNG.

    Args:
        image: what the caller gave.
        max_bytes: a larger file is not even read.

    Raises:
        UnreadableImage: if the file cannot be read.
        ImageTooLarge: if it has more than `max_bytes` bytes.
        InvalidArgument: if it is nothing that can be an image.
    """
    name = _name(image)
    try:
        data = _data(image, max_bytes)
        if not data:
            raise UnreadableImage("the image is empty")
        if len(data) > max_bytes:
            raise ImageTooLarge(f"the image has more than {max_bytes} bytes")
    except (ImageError, InvalidArgument) as error:
        error.names = (name,)
        raise
    return EncodedImage(name, data)


def several(images: "Iterable[ImageLike]") -> "Iterator[ImageLike]":
    """The images of a call that takes several.

    Raises:
        InvalidArgument: if it was given one, whose letters, bytes or lines would be taken for
            images, or what holds none.
    """
    if (
        isinstance(images, _ONE)
        or _is_pillow(images)
        or hasattr(images, "read")
        or (is_array(images) and images.ndim in (2, 3))
    ):
        raise InvalidArgument(
            f"{type(images).__name__} is one image; give a list of them, or call classify"
        )
    try:
        return iter(images)
    except TypeError as error:
        raise InvalidArgument(f"{type(images).__name__} holds no images; give a list") from error


_ONE = (str, bytes, bytearray, memoryview, os.PathLike)


def _name(image: object) -> str | None:
    """The caller's name for an image, if it has one."""
    if isinstance(image, str | os.PathLike):
        return os.fsdecode(image)
    if _is_pillow(image):
        name = getattr(image, "filename", None)
    elif hasattr(image, "read"):
        name = getattr(image, "name", None)
    else:
        return None
    return os.fsdecode(name) if name and isinstance(name, str | bytes | os.PathLike) else None


def _is_pillow(image: object) -> bool:
    # A caller who has a Pillow image has imported Pillow; nobody else need have it.
    pillow = sys.modules.get("PIL.Image")
    return pillow is not None and isinstance(image, pillow.Image)


def is_array(image: object) -> "TypeGuard[NDArray[Any]]":
    """Whether it is a NumPy array."""
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(image, numpy.ndarray)


def _data(image: ImageLike, max_bytes: int) -> bytes:
    if isinstance(image, bytes | bytearray | memoryview):
        return bytes(image)
    if isinstance(image, str | os.PathLike):
        path = os.fsdecode(image)
        if "://" in path:
            raise InvalidArgument("this is a URL; fetch it and pass the bytes")
        return _read_path(path, max_bytes)
    if _is_pillow(image):
        return _to_png(cast("PillowImage", image))
    if is_array(image):
        return _to_png(_drawn(image))
    if hasattr(image, "read"):
        return _read_file(cast("IO[bytes]", image), max_bytes)
    raise InvalidArgument(
        f"{type(image).__name__} is not an image; give a path, bytes, an open binary file, a Pillow"
        " image or a NumPy array"
    )


def _drawn(array: "NDArray[Any]") -> "PillowImage":
    """An array as a Pillow image.

    Raises:
        InvalidArgument: if it holds no picture of this form, or Pillow is missing.
    """
    if array.dtype.name != "uint8" or (array.ndim, *array.shape[2:]) not in ((2,), (3, 3), (3, 4)):
        raise InvalidArgument(
            f"the array is {array.dtype.name} {list(array.shape)}; a picture is uint8"
            " [height, width, 3] in RGB, [height, width, 4] or [height, width]"
        )
    try:
        from PIL import Image
    except ImportError as error:
        raise InvalidArgument("arrays need Pillow: pip install pillow") from error
    return Image.fromarray(array)


T = TypeVar("T")


class Grouping(Generic[T]):
    """Groups images into requests, in order; one above `max_bytes` goes alone.

    Args:
        weight: the bytes that an item adds to its request.
        max_images: most items in a group.
        max_bytes: most bytes in a group of several.
    """

    def __init__(self, weight: Callable[[T], int], *, max_images: int, max_bytes: int) -> None:
        self._weight = weight
        self._max_images = max_images
        self._max_bytes = max_bytes
        self._group: list[T] = []
        self._size = 0

    def add(self, item: T) -> list[T]:
        """Takes one more; gives the group that is complete by that, if any."""
        added = self._weight(item)
        full = len(self._group) == self._max_images or self._size + added > self._max_bytes
        done = self.rest() if full else []
        self._group.append(item)
        self._size += added
        return done

    def rest(self) -> list[T]:
        """The group that is not complete, perhaps empty; a new one begins."""
        group, self._group, self._size = self._group, [], 0
        return group

    def of(self, items: Iterable[T]) -> Iterator[list[T]]:
        """The groups of all items, which are taken one by one, as late as possible."""
        for item in items:
            if group := self.add(item):
                yield group
        if group := self.rest():
            yield group


def _read_path(path: str, max_bytes: int) -> bytes:
    try:
        with open_regular(path) as file:
            size = os.fstat(file.fileno()).st_size
            if size > max_bytes:
                raise ImageTooLarge(f"the file has {size} bytes; at most {max_bytes} are sent")
            return file.read(max_bytes + 1)
    except (OSError, ValueError) as error:  # ValueError: a null character in the path
        raise UnreadableImage(f"cannot be read: {getattr(error, 'strerror', error)}") from error


def open_regular(path: str) -> IO[bytes]:
    """Opens a file for reading; never waits for another program, as a named pipe would.

    Raises:
        OSError: if it cannot be opened.
        ValueError: if the path holds a null character, or leads to a pipe, device or socket.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
        raise ValueError("it is a pipe, device or socket; pass what it holds")
    return os.fdopen(descriptor, "rb")


def _read_file(file: IO[bytes], max_bytes: int) -> bytes:
    if isinstance(file, io.TextIOBase):
        raise InvalidArgument("the file is open for text; open it in binary mode")
    pieces: list[bytes] = []
    size = 0
    try:
        # A pipe or an unbuffered file gives what it has, which may be less than it was asked for.
        while size <= max_bytes and (piece := file.read(max_bytes + 1 - size)):
            if not isinstance(piece, bytes | bytearray | memoryview):
                raise InvalidArgument("the file is open for text; open it in binary mode")
            pieces.append(bytes(piece))
            size += len(piece)
    except InvalidArgument:
        raise
    except Exception as error:  # whatever the caller's object raises: closed, broken, cut off
        raise UnreadableImage(f"cannot be read: {_told(error)}") from error
    return b"".join(pieces)


def _to_png(image: "PillowImage") -> bytes:
    buffer = io.BytesIO()
    try:
        if not image.width or not image.height:
            raise ValueError(f"it has {image.width} x {image.height} pixels")
        exif = image.getexif()
        drawable = image if image.mode in _PNG_MODES else image.convert("RGB")
        # Level 1: on a fast network the time to compress outweighs the bytes saved.
        drawable.save(buffer, "PNG", compress_level=1, exif=exif)
    except Exception as error:
        # Pillow decodes lazily, so this is where a bad file shows, and its decoders raise what
        # they like.
        raise UnreadableImage(f"Pillow cannot decode or encode it: {_told(error)}") from error
    return buffer.getvalue()


def _told(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
