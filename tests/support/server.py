"""The service on a real socket, in a thread of the test's process."""

import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator

import httpx
from fastapi import FastAPI

from app.engines.engine import Engines
from app.inference.service import Service, State
from app.settings import Settings
from app.telemetry.tracing import Tracing
from app.transport.http.composition import create_app
from app.transport.process import certificate_of, grpc_server, operations_at, uvicorn_config
from app.transport.server import DrainingServer
from tests.support.waiting import BOUND_SECONDS, eventually

# Shared, for httpx would read the certificate store for every client, and none speaks TLS here.
_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


class _ThreadedServer(DrainingServer):
    """Signals reach only the main thread, so here the test says when to drain."""

    loop: asyncio.AbstractEventLoop

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        self.loop = asyncio.get_running_loop()
        yield


class LiveServer:
    """A running service.

    Attributes:
        app: the application.
        became_ready: is set by `on_ready`.
        failures: what it reported to `on_failure`.
        port: its TCP port on 127.0.0.1.
        operations_port: likewise, if the settings say that there is one.
        grpc_port: likewise.
        certificate: its TLS certificate, if it has one.
    """

    def __init__(
        self, settings: Settings, engines: Engines, tracing: Tracing | None = None
    ) -> None:
        self.failures: list[BaseException] = []
        self.became_ready = threading.Event()
        self.app: FastAPI = create_app(
            settings,
            engines=engines,
            tracing=tracing,
            on_ready=self.became_ready.set,
            on_failure=self.failures.append,
        )
        self.certificate = certificate_of(settings)
        config = uvicorn_config(self.app, settings)
        operations = None
        if settings.operations_port is not None:
            second = socket.create_server(("127.0.0.1", 0))
            self.operations_port: int = second.getsockname()[1]
            operations = operations_at(second, self.app, settings)
        other = grpc_server(self.app, settings, self.certificate)
        if other is not None:
            self.grpc_port = other.port
        self._server = _ThreadedServer(
            config,
            self.service,
            settings.drain_seconds,
            settings.log_level,
            self.certificate,
            operations,
            other,
        )
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._listener]}
        )

    @property
    def service(self) -> Service:
        service = self.app.state.service
        assert isinstance(service, Service)
        return service

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def connections(self) -> int:
        """How many are open."""
        return len(self._server.server_state.connections)

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=BOUND_SECONDS, trust_env=False, verify=_TLS)

    def start(self) -> None:
        self._thread.start()
        eventually(lambda: self._server.started)

    def wait_until_ready(self) -> None:
        eventually(lambda: self.service.state is not State.STARTING)
        assert self.service.state is State.READY, self.failures

    def begin_drain(self) -> None:
        """What a first signal does; a second call is what a second signal does."""
        self._server.loop.call_soon_threadsafe(self._server.begin_drain)

    def join(self) -> None:
        """Returns once the server has stopped."""
        self._thread.join(BOUND_SECONDS)
        assert not self._thread.is_alive(), "the server did not stop"

    def stop(self) -> None:
        """Drains and stops, if it still runs."""
        if self._thread.is_alive():
            with contextlib.suppress(RuntimeError):  # it ended by itself in this moment
                if self.service.state is not State.DRAINING:
                    self.begin_drain()
        self.join()


@contextlib.contextmanager
def running(
    settings: Settings,
    engines: Engines,
    *,
    ready: bool = True,
    tracing: Tracing | None = None,
) -> Iterator[LiveServer]:
    """A service for the length of a `with` block, by default ready from the start."""
    server = LiveServer(settings, engines, tracing)
    server.start()
    try:
        if ready:
            server.wait_until_ready()
        yield server
    finally:
        server.stop()
