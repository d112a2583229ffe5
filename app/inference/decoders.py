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
from collections.abc import Mapping
from queue import Empty, SimpleQueue
from types import MappingProxyType

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
from app.contract.preprocess import NetworkInput, network_input
from app.inference.decoder_process import LARGE, NO_LIMIT, REPLY, REQUEST, receive

logger = logging.getLogger(__name__)

_ERRORS: Mapping[str, type[ImageError]] = MappingProxyType(
    {error.__name__: error for error in (ImageTooLarge, InvalidImage, UnsupportedImageFormat)}
)
_STOP_SECONDS = 5.0


class DecoderProcesses:
    """Processes that decode, each one image at a time. For any number of threads.

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
        data: bytes,
        preprocessing: Preprocessing,
        *,
        max_pixels: int,
        max_bytes: int | None = None,
    ) -> NetworkInput:
        """See `network_input`. Waits for an idle process; if none can be had, the thread decodes.

        Raises:
            ImageError: see `network_input`.
            LargeImage: see `network_input`.
            InferenceFailed: if the process ended over this image, or all are stopped.
        """
        contract = self._as_json(preprocessing)
        limit = NO_LIMIT if max_bytes is None else max_bytes
        head = REQUEST.pack(len(contract), len(data), max_pixels, limit)
        request = b"".join((head, contract, data))
        # All of them may have ended while they were idle, and each is replaced once.
        for _ in range(self._count + 1):
            connection = self._idle.get()
            if connection is None:
                self._idle.put(None)  # for the next one
                raise InferenceFailed("the service stops")
            if connection.fileno() < 0:  # another could not be started in its place
                self._replace(connection)
                continue
            try:
                connection.sendall(request)
                is_right, size, height, width, *crop = REPLY.unpack(receive(connection, REPLY.size))
                answer = receive(connection, size)
            except (BrokenPipeError, ConnectionResetError):
                # It had not read all of the request, so it is not this image that ended it.
                self._replace(connection)
            except (EOFError, OSError) as error:
                self._replace(connection)
                raise InferenceFailed("the process that decoded this image ended") from error
            else:
                break
        else:
            return network_input(data, preprocessing, max_pixels=max_pixels, max_bytes=max_bytes)
        self._idle.put(connection)
        if self._is_stopped:
            self._close_idle()
        if not is_right:
            name, said = json.loads(bytes(answer))
            raise LargeImage if name == LARGE else _ERRORS[name](said)
        pixels = np.frombuffer(answer, np.uint8).reshape(height, width, 3)
        left, top, right, bottom = crop
        return NetworkInput(pixels, (left, top, right, bottom))

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
