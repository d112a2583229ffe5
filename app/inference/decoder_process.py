"""`python -m app.inference.decoder_process FD...`: decodes images for the service, one socket each.

Threads of one process share its interpreter's lock, which decoding a photo holds for a fifth of its
time: beyond four cores they hinder each other (docs/gpu.md). Processes do not; and a decoder that
crashes takes no other request with it.

A request is a `Request`, the preprocessing as JSON, and the file. The answer is a `Reply` and the
pixels, or the error as JSON: its class and its words.
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
from app.contract.errors import ImageError
from app.contract.manifest import Preprocessing
from app.contract.preprocess import network_input

NO_LIMIT = -1
REQUEST = Struct("<IIqq")
"""Bytes of the preprocessing, bytes of the file, most pixels, most bytes or `NO_LIMIT`."""
REPLY = Struct("<?III4d")
"""Whether it went well, bytes that follow, height and width of the pixels, and the crop."""
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
            contract_size, size, max_pixels, max_bytes = REQUEST.unpack(head)
            contract = bytes(receive(connection, contract_size))
            data = bytes(receive(connection, size))
        except EOFError:
            return
        # From here on the end of the process is the end of a connection with nothing unread, which
        # tells the service that it was this image.
        most = None if max_bytes == NO_LIMIT else max_bytes
        try:
            seen = network_input(
                data, _preprocessing(contract), max_pixels=max_pixels, max_bytes=most
            )
        except (ImageError, LargeImage) as error:
            said = json.dumps([type(error).__name__, str(error)]).encode()
            connection.sendmsg([REPLY.pack(False, len(said), *_NOTHING), said])
        else:
            height, width, _ = seen.pixels.shape
            pixels = seen.pixels.tobytes()
            connection.sendall(REPLY.pack(True, len(pixels), height, width, *seen.crop) + pixels)


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
