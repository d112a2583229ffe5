"""A server under load: a process of its own, with whatever processes it starts."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from types import FrameType
from typing import IO, Self

from app.contract.errors import ConfigurationError
from tools.loadtools import proc
from tools.loadtools.operations import is_ready

_START_SECONDS = 180.0
_STOP_SECONDS = 60.0
_PAUSE_SECONDS = 0.01


class NotReady(RuntimeError):
    """A server has ended before it was ready, or was not ready in time.

    Attributes:
        reason: what it wrote on standard error.
    """

    def __init__(self, command: Sequence[str], reason: str) -> None:
        self.reason = reason.strip()
        said = self.reason or "it wrote nothing, or its reason stands above"
        super().__init__(f"{' '.join(command)} did not get ready: {said}")


class Server:
    """Runs for the length of a `with` block; ready, or refused with its own words, inside it.

    Args:
        command: starts it; `{port}` stands for its port.
        port: of 127.0.0.1; any that is free by default.
        path: where it takes one image as the raw body.
        form_path: where it takes images as multipart/form-data.
        ready_path: where it answers 200 once it is ready.
        environment: all its variables; this process's own by default.
        cores: those it may run on; all by default.
        tells: whether its output is shown instead of kept for `NotReady`.

    Attributes:
        ready_seconds: from its start until it said that it is ready.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        port: int = 0,
        path: str = "/classify",
        form_path: str = "/classify",
        ready_path: str = "/readyz",
        environment: Mapping[str, str] | None = None,
        cores: Collection[int] = (),
        tells: bool = False,
    ) -> None:
        self.path = path
        self.form_path = form_path
        self.port = port or free_port()
        self.ready_seconds = 0.0
        self._ready_path = ready_path
        self._command = [part.replace("{port}", str(self.port)) for part in command]
        self._environment = environment
        self._cores = cores
        self._tells = tells
        self._errors: IO[str]
        self._process: subprocess.Popen[bytes]

    def __enter__(self) -> Self:
        _refuse_taken(self.port)
        self._errors = tempfile.TemporaryFile("w+", errors="replace")
        started = time.monotonic()
        with ExitStack() as undo:
            undo.callback(self._errors.close)
            with _kept_on(self._cores), _interrupted_later():
                self._process = subprocess.Popen(  # noqa: S603 - our own command
                    self._command,
                    env=self._environment,
                    stdout=None if self._tells else subprocess.DEVNULL,
                    stderr=None if self._tells else self._errors,
                    # Ctrl-C is for this process, which then stops the server.
                    start_new_session=True,
                )
                undo.callback(self.__exit__)
            asyncio.run(self._wait())
            undo.pop_all()
        self.ready_seconds = time.monotonic() - started
        return self

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_STOP_SECONDS)
        finally:
            # Too slow, or this wait was interrupted as well; or it has left others behind.
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._errors.close()

    @property
    def url(self) -> str:
        """Where it takes one image as the raw body."""
        return f"http://127.0.0.1:{self.port}{self.path}"

    @property
    def form_url(self) -> str:
        """Where it takes images as multipart/form-data."""
        return f"http://127.0.0.1:{self.port}{self.form_path}"

    @property
    def exit_code(self) -> int | None:
        """Its exit code once it has ended."""
        return self._process.poll()

    @property
    def resident_mib(self) -> float:
        """Memory that its processes hold now; pages that they share count for each."""
        return proc.resident_mib(self._process.pid)

    @property
    def processor_seconds(self) -> float:
        """Processor time that its processes have used."""
        return proc.processor_seconds(self._process.pid)

    @property
    def event_loop_seconds(self) -> float:
        """Processor time of its first process's main thread, on which an event loop runs."""
        return proc.main_thread_seconds(self._process.pid)

    @property
    def threads(self) -> int:
        """Threads that its first process has now."""
        return proc.count(self._process.pid, "task")

    @property
    def open_files(self) -> int:
        """File descriptors that its first process has open now."""
        return proc.count(self._process.pid, "fd")

    async def _wait(self) -> None:
        give_up = time.monotonic() + _START_SECONDS
        while not await is_ready(self.port, self._ready_path):
            if self._process.poll() is not None or time.monotonic() > give_up:
                self._errors.seek(0)
                raise NotReady(self._command, self._errors.read())
            await asyncio.sleep(_PAUSE_SECONDS)


def service(
    options: Sequence[str],
    *,
    port: int = 0,
    environment: Mapping[str, str] | None = None,
    cores: Collection[int] = (),
    module: str = "app",
    tells: bool = False,
) -> Server:
    """This service, as its users start it.

    Args:
        options: of its command line, beside the port.
        port: see `Server`.
        environment: see `Server`.
        cores: see `Server`.
        module: that starts it.
        tells: see `Server`.
    """
    command = [sys.executable, "-m", module, "--port", "{port}", *options]
    return Server(command, port=port, environment=environment, cores=cores, tells=tells)


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody uses now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def _refuse_taken(port: int) -> None:
    """Else whoever listens there already would be measured."""
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError as error:
        raise ConfigurationError(
            "--port",
            f"127.0.0.1:{port}: {os.strerror(error.errno or 0)}",
            "name another, or leave it out",
        ) from error


@contextmanager
def _kept_on(cores: Collection[int]) -> Iterator[None]:
    """Keeps this thread on these cores, if there are any; what it starts inherits them."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores or before)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextmanager
def _interrupted_later() -> Iterator[None]:
    """Puts SIGINT off: within `Popen` it would lose the process that has just been started."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread is ever interrupted
        return
    received: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        received.append(number)

    before = signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if received:
        signal.raise_signal(signal.SIGINT)
