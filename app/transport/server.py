"""uvicorn's server, made to drain its service before it stops."""

import asyncio
import contextlib
import logging
import signal
import socket
from collections.abc import Iterator
from typing import NamedTuple, Protocol, cast

import uvicorn
from uvicorn.server import ServerState

from app.inference.service import Service
from app.telemetry.log import toggle_debug
from app.transport.http.protocol import BoundedHttpProtocol
from app.transport.listening import TlsListener
from app.transport.tls import RenewedCertificate

logger = logging.getLogger(__name__)

# For the last answers on the other ports.
_LAST_SECONDS = 1.0


class Operations(NamedTuple):
    """The second place at which probes and metrics answer.

    Attributes:
        listener: the socket.
        protocol: of its connections.
    """

    listener: socket.socket
    protocol: type[BoundedHttpProtocol]


class OtherServer(Protocol):
    """A server of another protocol."""

    async def start(self) -> None:
        """Listens; raises `ConfigurationError` if it cannot."""
        ...

    async def stop(self, seconds: float) -> None:
        """Takes no more calls, and ends those that are not over within so many seconds."""
        ...


class DrainingServer(uvicorn.Server):
    """A uvicorn server that drains its service before it stops.

    Args:
        config: uvicorn's configuration, with a `BoundedHttpProtocol`.
        service: what to drain.
        drain_seconds: longest drain.
        log_level: the configured level, which SIGHUP switches to debug and back.
        certificate: the TLS certificate, which is renewed while the server runs, and on SIGHUP.
        operations: a place that goes on answering probes until the drain is over.
        other: a server of another protocol, which begins and ends with this one.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        service: Service,
        drain_seconds: float,
        log_level: str,
        certificate: RenewedCertificate | None = None,
        operations: Operations | None = None,
        other: OtherServer | None = None,
    ) -> None:
        super().__init__(config)
        self._certificate = certificate
        self._log_level = log_level
        self._service = service
        self._drain_seconds = drain_seconds
        self._draining: asyncio.Task[None] | None = None
        self._operations = operations
        self._other = other
        # Its connections are not waited for with the others.
        self._operations_state = ServerState()
        self._operations_server: asyncio.AbstractServer | TlsListener | None = None

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Drains on a signal; unlike uvicorn's own, does not raise it again when stopped."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.begin_drain)
        loop.add_signal_handler(signal.SIGHUP, self._on_hang_up)
        try:
            yield
        finally:
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                loop.remove_signal_handler(number)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Starts the application and listens."""
        if self._other is not None:  # first: nothing has begun that a failure would have to end
            await self._other.start()
        sockets = sockets or []
        await super().startup(sockets if self._certificate is None else [])
        protocol = cast("type[BoundedHttpProtocol]", self.config.http_protocol_class)
        if self._certificate is not None:
            for listener in sockets:
                server = await self._listen(listener, protocol, self.server_state)
                self.servers.append(cast("asyncio.Server", server))
        if self._operations is not None:
            self._operations_server = await self._listen(*self._operations, self._operations_state)

    async def main_loop(self) -> None:
        """Serves until told to stop, with the certificate as it is then."""
        if self._certificate is None:
            await super().main_loop()
            return
        watching = asyncio.create_task(self._certificate.watch())
        try:
            await super().main_loop()
        finally:
            watching.cancel()

    async def on_tick(self, counter: int) -> bool:
        """What uvicorn does ten times a second."""
        is_over = await super().on_tick(counter)
        self._operations_state.default_headers = self.server_state.default_headers
        return is_over

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Ends the connections and the application, and the operations port last."""
        if self._other is not None:
            await self._other.stop(_LAST_SECONDS)
        await super().shutdown(sockets)
        if self._operations_server is None or self._operations is None:
            return
        self._operations_server.close()
        self._operations.listener.close()
        connections = self._operations_state.connections
        for connection in list(connections):
            connection.shutdown()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LAST_SECONDS):
                while connections:  # noqa: ASYNC110 - uvicorn's set, which tells nobody
                    await asyncio.sleep(_LAST_SECONDS / 100)

    def begin_drain(self) -> None:
        """Starts the drain; the second time, stops at once."""
        if self._draining is not None:
            logger.warning("stopping at once")
            self.force_exit = self.should_exit = True
            return
        logger.info("draining")
        self._draining = asyncio.get_running_loop().create_task(self._drain())

    async def _listen(
        self, listener: socket.socket, protocol: type[BoundedHttpProtocol], state: ServerState
    ) -> asyncio.AbstractServer | TlsListener:
        loop = asyncio.get_running_loop()

        def make_protocol() -> BoundedHttpProtocol:
            return protocol(self.config, state, self.lifespan.state, loop)

        backlog = self.config.backlog
        if self._certificate is None:
            return await loop.create_server(make_protocol, sock=listener, backlog=backlog)
        return TlsListener(
            listener,
            make_protocol,
            self._certificate.context,
            seconds=protocol.head_timeout_seconds,
            backlog=backlog,
        )

    async def _drain(self) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._drain_seconds
        try:
            async with asyncio.timeout_at(deadline):
                await self._service.drain()
        except TimeoutError:
            logger.warning("images still unanswered after %g s", self._drain_seconds)
            # Answers them, instead of leaving their requests to be cancelled.
            await self._service.stop()
        # What is left to uvicorn: writing out responses.
        self.config.timeout_graceful_shutdown = max(1, round(deadline - loop.time()))
        self.should_exit = True

    def _on_hang_up(self) -> None:
        toggle_debug(self._log_level)
        if self._certificate is not None:
            asyncio.get_running_loop().run_in_executor(None, self._certificate.reload)
