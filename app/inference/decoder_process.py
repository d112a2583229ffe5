"""`python -m app.inference.decoder_process FD...`: decodes images for the service, one socket each.

Threads of one process share its interpreter's lock, which decoding a photo holds for a fifth of its
time: beyond four cores they hinder each other (docs/gpu.md). Processes do not; and a decoder that
crashes takes no other request with it.

A request is a `REQUEST`, the preprocessing as JSON, the files' sizes, and the files. The answer is
a `REPLY` for each file, and then for each its pixels, or its error as JSON: its class and its
words.
"""

import json
import os
import signal
import socket
import sys
import warnings
from functools import lru_cache
from struct import Struct

import numpy as np
from PIL import Image

from app.contract.decoding import LargeImage
from app.contract.manifest import Preprocessing
from app.contract.preprocess import NetworkInput
from app.inference.decoded import Decoded, decode_here

NO_LIMIT = -1
REQUEST = Struct("<IIqq")
"""Bytes of the preprocessing, number of files, most pixels, most bytes or `NO_LIMIT`."""
FILE_SIZE = np.dtype("<u4")
REPLY = Struct("<?III4d")
"""Whether it went well, its bytes after the last `REPLY`, height and width of the pixels, and the
crop."""
LARGE = LargeImage.__name__

_NOTHING = (0, 0, 0.0, 0.0, 0.0, 0.0)


def receive(connection: socket.socket, size: int) -> memoryview:
    """Exactly so many bytes.

    Raises:
        EOFError: if the other side has gone.
        OSError: if the connection broke.
    """
    # Not zeroed first, as a bytearray would be.
    data = np.empty(size, np.uint8).data
    at = 0
    while at < size:
        read = connection.recv_into(data[at:], 0, socket.MSG_WAITALL)
        if not read:
            raise EOFError
        at += read
    return data


def serve(connection: socket.socket) -> None:
    """Decodes what comes until the other side goes.

    Args:
        connection: to the service.
    """
    while True:
        try:
            head = receive(connection, REQUEST.size)
            contract_size, count, max_pixels, max_bytes = REQUEST.unpack(head)
            contract = bytes(receive(connection, contract_size))
            sizes = np.frombuffer(receive(connection, count * FILE_SIZE.itemsize), FILE_SIZE)
            files = [bytes(receive(connection, size)) for size in sizes.tolist()]
        except EOFError:
            return
        # From here on the end of the process is the end of a connection with nothing unread, which
        # tells the service that it was one of these images.
        decoded = decode_here(
            files,
            _preprocessing(contract),
            max_pixels=max_pixels,
            max_bytes=None if max_bytes == NO_LIMIT else max_bytes,
        )
        replies, bodies = zip(*map(_reply, decoded), strict=True)
        connection.sendall(b"".join((*replies, *bodies)))


def _reply(decoded: Decoded) -> tuple[bytes, bytes | memoryview]:
    if isinstance(decoded, NetworkInput):
        pixels = np.ascontiguousarray(decoded.pixels)
        height, width, _ = pixels.shape
        return REPLY.pack(True, pixels.nbytes, height, width, *decoded.crop), pixels.data
    said = json.dumps([type(decoded).__name__, str(decoded)]).encode()
    return REPLY.pack(False, len(said), *_NOTHING), said


@lru_cache(maxsize=64)
def _preprocessing(contract: bytes) -> Preprocessing:
    return Preprocessing.model_validate_json(contract)


def main() -> int:
    """Becomes one process for each socket, which share what has been imported."""
    descriptors = [int(argument) for argument in sys.argv[1:]]
    # Both are for the service, which answers what it has accepted and then closes the sockets;
    # systemd sends SIGTERM to all processes of a unit.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    # As in the service: what Pillow warns of is judged by its error alone.
    warnings.filterwarnings("ignore", module=r"PIL\.")
    Image.init()
    own, *others = descriptors
    for descriptor in others:
        if os.fork() == 0:
            own = descriptor
            break
    for descriptor in descriptors:
        if descriptor != own:
            os.close(descriptor)
    with socket.socket(fileno=own) as connection:
        serve(connection)
    return 0


if __name__ == "__main__":
    sys.exit(main())
