"""What becomes of files that are decoded together."""

from collections.abc import Sequence
from typing import Protocol

from app.contract.decoding import LargeImage
from app.contract.errors import RequestError
from app.contract.manifest import Preprocessing
from app.contract.preprocess import NetworkInput, network_input

Decoded = NetworkInput | RequestError | LargeImage
"""The network's input, why there is none, or that it takes too much memory beside others."""


class Decoder(Protocol):
    """Makes the network's inputs of files; see `network_input`."""

    def __call__(
        self,
        files: Sequence[bytes],
        preprocessing: Preprocessing,
        /,
        *,
        max_pixels: int,
        max_bytes: int | None,
    ) -> Sequence[Decoded]:
        """What became of each file, in order; nothing that one of them holds touches another."""
        ...


def decode_here(
    files: Sequence[bytes],
    preprocessing: Preprocessing,
    /,
    *,
    max_pixels: int,
    max_bytes: int | None,
) -> list[Decoded]:
    """Decodes in the calling thread, one after the other; see `Decoder`."""
    decoded: list[Decoded] = []
    for data in files:
        try:
            decoded.append(
                network_input(data, preprocessing, max_pixels=max_pixels, max_bytes=max_bytes)
            )
        except (RequestError, LargeImage) as error:
            # Without its traceback, which keeps the file alive.
            decoded.append(error.with_traceback(None))
    return decoded
