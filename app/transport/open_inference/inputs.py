"""Input tensors -> images."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.contract.errors import MalformedRequest, TooManyImages
from app.contract.signature import Signature

ENCODED = "image"
"""The input that takes encoded files, besides the network's own, which takes pixels."""

Images = list[bytes] | list[NDArray[np.uint8]]

LENGTH_BYTES = 4
"""Of the length that stands before each element of a tensor of BYTES, little-endian."""

_SHOWN = 64


@dataclass(frozen=True, slots=True)
class InputTensor:
    """One input of a request.

    Attributes:
        name: as the client gives it.
        datatype: likewise.
        shape: likewise.
        content: the bytes of the tensor; or the elements of one of BYTES.
    """

    name: str
    datatype: str
    shape: Sequence[int]
    content: memoryview | list[bytes]


def read_images(signature: Signature, tensors: Sequence[InputTensor], max_images: int) -> Images:
    """The images of a request, from either of the two inputs.

    Args:
        signature: of the model.
        tensors: of the request.
        max_images: most images.

    Returns:
        Encoded images, or pixels, each uint8 [height, width, 3].

    Raises:
        MalformedRequest: if there is not exactly one of the two, or it is not what it must be.
        TooManyImages: if there are more than `max_images`.
    """
    if len(tensors) != 1:
        names = ", ".join(repr(tensor.name[:_SHOWN]) for tensor in tensors[:3]) or "none"
        raise MalformedRequest(f"the inputs are {names}; send exactly one of {_both(signature)}")
    [tensor] = tensors
    if (tensor.name, tensor.datatype) == (signature.image.name, "UINT8"):
        return _pixels(tensor, signature.image.sizes, max_images)
    if (tensor.name, tensor.datatype) == (ENCODED, "BYTES"):
        return _encoded(tensor, max_images)
    raise MalformedRequest(
        f"the input {tensor.name[:_SHOWN]!r} of {tensor.datatype[:_SHOWN]!r} is none of"
        f" {_both(signature)}"
    )


def _both(signature: Signature) -> str:
    size = ", ".join(map(str, signature.image.sizes))
    return f"{signature.image.name} (UINT8 [N, {size}]: pixels) and {ENCODED} (BYTES [N]: files)"


def _pixels(
    tensor: InputTensor, sizes: tuple[int, ...], max_images: int
) -> list[NDArray[np.uint8]]:
    shape = tuple(tensor.shape)
    if len(shape) != 1 + len(sizes) or shape[1:] != sizes:
        expected = ", ".join(map(str, sizes))
        raise MalformedRequest(f"{tensor.name}: the shape is {_told(shape)}, not [N, {expected}]")
    _check_count(tensor.name, shape[0], max_images)
    size = math.prod(shape)
    if isinstance(tensor.content, list):
        raise MalformedRequest(f"{tensor.name}: UINT8 has no elements of bytes")
    if len(tensor.content) != size:
        raise MalformedRequest(
            f"{tensor.name}: the shape {_told(shape)} takes {size} bytes, and there are"
            f" {len(tensor.content)}"
        )
    return list(np.frombuffer(tensor.content, np.uint8).reshape(shape))


def _encoded(tensor: InputTensor, max_images: int) -> list[bytes]:
    shape = tuple(tensor.shape)
    # Models with a batch have [N, 1] in Triton's examples.
    if len(shape) not in (1, 2) or shape[1:] not in ((), (1,)):
        raise MalformedRequest(f"{tensor.name}: the shape is {_told(shape)}, not [N] or [N, 1]")
    _check_count(tensor.name, shape[0], max_images)
    content = tensor.content
    images = content if isinstance(content, list) else _elements(tensor.name, content, max_images)
    if len(images) != shape[0]:
        raise MalformedRequest(
            f"{tensor.name}: the shape is {_told(shape)}, and there are {len(images)} elements"
        )
    return images


def _check_count(name: str, images: int, max_images: int) -> None:
    if images < 1:
        raise MalformedRequest(f"{name}: a batch of {images} images")
    if images > max_images:
        raise TooManyImages(f"at most {max_images} images are accepted in one request")


def _elements(name: str, content: memoryview, most: int) -> list[bytes]:
    """The elements of a tensor of BYTES: of each its length, 4 bytes little-endian, and itself."""
    elements: list[bytes] = []
    start = 0
    while start < len(content) and len(elements) <= most:
        begin = start + LENGTH_BYTES
        end = begin + int.from_bytes(content[start:begin], "little")
        if begin > len(content) or end > len(content):
            raise MalformedRequest(
                f"{name}: element {len(elements)} is cut short; before each stands its length in"
                f" {LENGTH_BYTES} bytes, little-endian"
            )
        elements.append(bytes(content[begin:end]))
        start = end
    return elements


def _told(shape: Sequence[int]) -> str:
    sizes = ", ".join(str(size)[:_SHOWN] for size in shape[:8])
    return f"[{sizes}{', ...' if len(shape) > 8 else ''}]"
