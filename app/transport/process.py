"""The process: its socket, its signals and its exit code."""

import asyncio
import contextlib
import errno
import gc
import ipaddress
import logging
import os
import signal
import socket
from collections.abc import Callable, Iterator

import uvicorn
from fastapi import FastAPI
from starlette.types import Scope

from app.contract.errors import ConfigurationError
from app.environment import hidden_options
from app.inference.service import Service
from app.settings import Settings
from app.telemetry.log import configure_logging, toggle_debug
from app.transport.http.composition import create_app
from app.transport.http.early_answers import EarlyAnswer
from app.transport.http.protocol import BoundedHttpProtocol
from app.transport.http.request_log import RequestLog
from app.transport.local_sockets import passed_socket, unix_socket
from app.transport.tls import RenewedCertificate

logger = logging.getLogger(__name__)

# Longer than the idle timeout of common load balancers, so that they close first.
_KEEP_ALIVE_SECONDS = 75
# Of headers; more than browsers, proxies and their service meshes send.
_MAX_FIELDS = 128


def serve(settings: Settings) -> None:
    """Serves until a signal says stop; returns when drained.

    The first SIGTERM or SIGINT turns readiness off, refuses new images with 503 and lets
    accepted ones finish for up to `drain_seconds`; a second one stops at once.

    Raises:
        ConfigurationError: if the service cannot start.
        Exception: what made the service fail later on.
    """
    configure_logging(settings.log_format, settings.log_level)
    for name in hidden_options(os.environ, Settings.model_fields):
        logger.warning(
            "%s=%s is how Kubernetes describes a Service of that name; it is not read as an option:"
            " set enableServiceLinks: false in the pod, or give the flag",
            name,
            os.environ[name],
        )
    failures: list[BaseException] = []

    def on_failure(error: BaseException) -> None:
        failures.append(error)
        if len(failures) == 1:
            server.begin_drain()

    app = create_app(settings, on_ready=_keep_what_is_loaded, on_failure=on_failure)
    certificate = certificate_of(settings)
    config = uvicorn_config(app, settings, certificate)
    listener = passed_socket(os.environ) or (
        unix_socket(settings.uds) if settings.uds else _listen(settings)
    )
    place = _place(listener)
    server = DrainingServer(
        config, app.state.service, settings.drain_seconds, settings.log_level, certificate
    )
    is_local = listener.family == socket.AF_UNIX or _is_loopback(listener.getsockname()[0])
    if settings.api_keys_file is None and not is_local:
        logger.warning(
            "listening on %s without API keys: everybody who reaches it may call;"
            " see --api-keys-file (SENET_API_KEYS_FILE)",
            place.rpartition(":")[0],
        )
    logger.info("listening on %s", place)
    server.run(sockets=[listener])
    logger.info("stopped")
    if failures:
        raise failures[0]


def uvicorn_config(
    app: FastAPI, settings: Settings, certificate: RenewedCertificate | None = None
) -> uvicorn.Config:
    """How uvicorn serves the application: over HTTPS if there is a certificate."""
    config = uvicorn.Config(
        app,
        http=_bounded_protocol(settings, app),
        ws="none",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        forwarded_allow_ips=settings.forwarded_allow_ips,
        root_path=settings.root_path,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
    )
    config.load()
    if certificate is not None:
        config.ssl = certificate.context
    return config


def certificate_of(settings: Settings) -> RenewedCertificate | None:
    """The TLS certificate, if the settings name one.

    Raises:
        ConfigurationError: if certificate or key cannot be used.
    """
    if settings.tls_certificate_file is None or settings.tls_key_file is None:
        return None
    return RenewedCertificate(settings.tls_certificate_file, settings.tls_key_file)


class DrainingServer(uvicorn.Server):
    """A uvicorn server that drains its service before it stops.

    Args:
        config: uvicorn's configuration.
        service: what to drain.
        drain_seconds: longest drain.
        log_level: the configured level, which SIGHUP switches to debug and back.
        certificate: the TLS certificate, which is renewed while the server runs, and on SIGHUP.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        service: Service,
        drain_seconds: float,
        log_level: str,
        certificate: RenewedCertificate | None = None,
    ) -> None:
        super().__init__(config)
        self._certificate = certificate
        self._log_level = log_level
        self._service = service
        self._drain_seconds = drain_seconds
        self._draining: asyncio.Task[None] | None = None

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

    def _on_hang_up(self) -> None:
        toggle_debug(self._log_level)
        if self._certificate is not None:
            asyncio.get_running_loop().run_in_executor(None, self._certificate.reload)

    def begin_drain(self) -> None:
        """Starts the drain; the second time, stops at once."""
        if self._draining is not None:
            logger.warning("stopping at once")
            self.force_exit = self.should_exit = True
            return
        logger.info("draining")
        self._draining = asyncio.get_running_loop().create_task(self._drain())

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


def _keep_what_is_loaded() -> None:
    """Takes all objects there are from the garbage collector.

    Code and model stay as long as the process. Under load the collector would go through them
    every few seconds, for tens of milliseconds in which no thread can run Python.
    """
    gc.collect()
    gc.freeze()


def _bounded_protocol(settings: Settings, app: FastAPI) -> type[BoundedHttpProtocol]:
    at_door: Callable[[Scope], EarlyAnswer | None] = app.state.refusal
    log: RequestLog = app.state.request_log

    class Protocol(BoundedHttpProtocol):
        max_connections = settings.max_connections
        max_head_bytes = settings.max_head_bytes
        max_fields = _MAX_FIELDS
        head_timeout_seconds = settings.head_timeout_ms / 1000
        max_body_bytes = settings.max_body_bytes
        body_pace = settings.body_pace

        def refusal(self, scope: Scope) -> EarlyAnswer | None:
            return at_door(scope)

        def note_refusal(self, status: int, code: str) -> None:
            log.note("-", "unmatched", status, 0.0, {"outcome": code})

    return Protocol


def _place(listener: socket.socket) -> str:
    """Where it listens: a path, or host:port."""
    if listener.family == socket.AF_UNIX:
        return str(listener.getsockname())
    host, port = listener.getsockname()[:2]
    return f"{host}:{port}"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _listen(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
        # Of two services that bind one port, the second fails only here.
        listener.listen()
    except OSError as error:
        listener.close()
        is_host = isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL
        option = "host" if is_host else "port"
        raise ConfigurationError(
            option,
            f"cannot listen on {settings.host}:{settings.port} ({error.strerror})",
            f"choose another --{option} (SENET_{option.upper()})",
        ) from error
    return listener
