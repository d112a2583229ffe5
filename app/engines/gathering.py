"""Images of a batch -> one array."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray


def gather(images: Sequence[NDArray[np.uint8]], out: NDArray[np.uint8]) -> None:
    """Copies images into an array, as `numpy.stack` does.

    numpy gives the interpreter's lock away for each array that it copies, and where many threads
    work, this one then waits for it. A process that decodes several images returns them in one
    block (`DecoderProcesses`), and what lies in one block is copied at once.

    Args:
        images: n, uint8, of one shape.
        out: uint8 [n, *shape], contiguous.
    """
    at = 0
    for block in _blocks(images):
        out[at : at + len(block)] = block
        at += len(block)


def _blocks(images: Sequence[NDArray[np.uint8]]) -> Iterator[NDArray[np.uint8]]:
    """The images, those that follow each other in memory as one array [k, *shape]."""
    at = 0
    while at < len(images):
        count = _adjacent(images, at)
        first, owner = images[at], images[at].base
        if count > 1 and isinstance(owner, np.ndarray):
            offset = _address(first) - _address(owner)
            yield np.ndarray((count, *first.shape), np.uint8, buffer=owner, offset=offset)
        else:
            yield first[np.newaxis]
        at += count


def _adjacent(images: Sequence[NDArray[np.uint8]], at: int) -> int:
    """How many images, from this one on, lie in memory as they would in one array."""
    first, count = images[at], 1
    owner = first.base
    if not (isinstance(owner, np.ndarray) and _is_plain(owner) and _is_plain(first)):
        return 1
    begin = _address(first)
    for image in images[at + 1 :]:
        follows = image.base is owner and _address(image) == begin + count * first.nbytes
        if not (follows and image.shape == first.shape and _is_plain(image)):
            break
        count += 1
    return count


def _is_plain(array: NDArray[np.uint8]) -> bool:
    return array.flags.c_contiguous and array.dtype == np.uint8


def _address(array: NDArray[np.uint8]) -> int:
    address: int = array.__array_interface__["data"][0]
    return address
