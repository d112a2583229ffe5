"""Decoding in processes of their own, for machines with more cores than one process can use."""

import contextlib
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from queue import Empty, SimpleQueue
from types import MappingProxyType
from typing import Any

import numpy as np

from app.contract.decoding import LargeImage
from app.contract.errors import (
    ImageError,
    ImageTooLarge,
    InferenceFailed,
    InvalidImage,
    UnsupportedImageFormat,
)
from app.contract.manifest import Preprocessing
from app.contract.preprocess import NetworkInput
from app.inference.decoded import Decoded, decode_here
from app.inference.decoder_process import FILE_SIZE, LARGE, NO_LIMIT, REPLY, REQUEST, receive

logger = logging.getLogger(__name__)

_ERRORS: Mapping[str, type[ImageError]] = MappingProxyType(
    {error.__name__: error for error in (ImageTooLarge, InvalidImage, UnsupportedImageFormat)}
)
_STOP_SECONDS = 5.0


class DecoderProcesses:
    """Processes that decode. For any number of threads.

    Args:
        count: how many.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._idle: SimpleQueue[socket.socket | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._started: list[subprocess.Popen[bytes]] = []
        self._is_stopped = False
        self._last: tuple[Preprocessing, bytes] | None = None

    def start(self) -> None:
        """Starts them; they are ready some tenths of a second later, and take images at once."""
        self._start(self._count)

    def decode(
        self,
        files: Sequence[bytes],
        preprocessing: Preprocessing,
        /,
        *,
        max_pixels: int,
        max_bytes: int | None = None,
    ) -> list[Decoded]:
        """See `Decoder`. Waits for an idle process; if none can be had, the thread decodes.

        A file over which a process ends becomes `InferenceFailed`, as do all once it is stopped.
        """
        request = self._request(files, preprocessing, max_pixels, max_bytes)
        # All of them may have ended while they were idle, and each is replaced once.
        for _ in range(self._count + 1):
            connection = self._idle.get()
            if connection is None:
                self._idle.put(None)  # for the next one
                return [InferenceFailed("the service stops") for _ in files]
            if connection.fileno() < 0:  # another could not be started in its place
                self._replace(connection)
                continue
            try:
                connection.sendall(request)
                heads = receive(connection, len(files) * REPLY.size)
                replies = list(REPLY.iter_unpack(heads))
                body = receive(connection, sum(size for _, size, *_ in replies))
            except (BrokenPipeError, ConnectionResetError):
                # It had not read all of the request, so it is not these files that ended it.
                self._replace(connection)
            except (EOFError, OSError):
                self._replace(connection)
                return self._decode_after_an_end(
                    files, preprocessing, max_pixels=max_pixels, max_bytes=max_bytes
                )
            else:
                break
        else:
            return decode_here(files, preprocessing, max_pixels=max_pixels, max_bytes=max_bytes)
        self._idle.put(connection)
        if self._is_stopped:
            self._close_idle()
        return _decoded(replies, body)

    def _decode_after_an_end(
        self,
        files: Sequence[bytes],
        preprocessing: Preprocessing,
        *,
        max_pixels: int,
        max_bytes: int | None,
    ) -> list[Decoded]:
        """A process has ended over one of these files: each by itself shows which."""
        if len(files) == 1:
            return [InferenceFailed("the process that decoded this image ended")]
        return [
            decoded
            for data in files
            for decoded in self.decode(
                [data], preprocessing, max_pixels=max_pixels, max_bytes=max_bytes
            )
        ]

    def stop(self) -> None:
        """Ends them after the images that they are at; those are not waited for."""
        with self._lock:
            self._is_stopped = True
            started = list(self._started)
        self._close_idle()
        for process in started:
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                # One that hangs was perhaps forked from it: they are a session of their own.
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def _close_idle(self) -> None:
        """Ends the processes that wait, and has threads told that come for one."""
        with contextlib.suppress(Empty):
            while True:
                connection = self._idle.get_nowait()
                if connection is not None:
                    connection.close()
        self._idle.put(None)

    def _request(
        self,
        files: Sequence[bytes],
        preprocessing: Preprocessing,
        max_pixels: int,
        max_bytes: int | None,
    ) -> bytes:
        contract = self._as_json(preprocessing)
        limit = NO_LIMIT if max_bytes is None else max_bytes
        head = REQUEST.pack(len(contract), len(files), max_pixels, limit)
        sizes = np.array([len(data) for data in files], FILE_SIZE).tobytes()
        return b"".join((head, contract, sizes, *files))

    def _as_json(self, preprocessing: Preprocessing) -> bytes:
        last = self._last
        if last is None or last[0] is not preprocessing:
            self._last = last = preprocessing, preprocessing.model_dump_json().encode()
        return last[1]

    def _replace(self, lost: socket.socket) -> None:
        """Starts another process in the place of one that has ended."""
        lost.close()
        with self._lock:
            if self._is_stopped:
                return
            logger.error("a process that decodes images ended; another takes its place")
            self._started = [process for process in self._started if process.poll() is None]
            try:
                self._start(1)
            except OSError as error:
                # Its place stays, for whoever comes to it tries again.
                logger.warning("no process can be started that decodes images: %s", error)
                self._idle.put(lost)

    def _start(self, count: int) -> None:
        with contextlib.ExitStack() as undo:
            ours, theirs = [], []
            for _ in range(count):
                our, their = socket.socketpair()
                ours.append(undo.enter_context(our))
                theirs.append(undo.enter_context(their))
            numbers = [their.fileno() for their in theirs]
            self._started.append(
                subprocess.Popen(  # noqa: S603 - our own command
                    [sys.executable, "-m", "app.inference.decoder_process", *map(str, numbers)],
                    stdin=subprocess.DEVNULL,
                    pass_fds=numbers,
                    # Ctrl-C reaches the service alone.
                    start_new_session=True,
                )
            )
            undo.pop_all()
        for our, their in zip(ours, theirs, strict=True):
            their.close()
            self._idle.put(our)


def _decoded(replies: Sequence[tuple[Any, ...]], body: memoryview) -> list[Decoded]:
    decoded: list[Decoded] = []
    whole = np.frombuffer(body, np.uint8)
    at = 0
    for is_right, size, height, width, left, top, right, bottom in replies:
        own = whole[at : at + size]
        at += size
        if is_right:
            pixels = own.reshape(height, width, 3)
            decoded.append(NetworkInput(pixels, (left, top, right, bottom)))
        else:
            name, said = json.loads(own.tobytes())
            decoded.append(LargeImage() if name == LARGE else _ERRORS[name](said))
    return decoded
