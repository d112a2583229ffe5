"""The process: its sockets, its options and its exit."""

import gc
import ipaddress
import logging
import os
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING

import uvicorn
from fastapi import FastAPI
from starlette.types import Scope
from uvicorn.middleware.proxy_headers import _TrustedHosts

from app.contract.errors import ConfigurationError
from app.environment import hidden_options
from app.settings import Settings
from app.telemetry.log import configure_logging
from app.transport.http.composition import create_app
from app.transport.http.connection_limit import PROBE_CONNECTIONS, ConnectionLimit
from app.transport.http.direct_requests import DirectRequest
from app.transport.http.early_answers import WireAnswer
from app.transport.http.protocol import BoundedHttpProtocol
from app.transport.http.refusal_log import RefusalLog
from app.transport.listening import listen
from app.transport.local_sockets import passed_socket, unix_socket
from app.transport.open_files import connections_allowed
from app.transport.server import DrainingServer, Operations
from app.transport.tls import RenewedCertificate

if TYPE_CHECKING:
    from app.transport.grpc.server import GrpcServer

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

    settings = settings.model_copy(update={"max_connections": connections_allowed(settings)})
    app = create_app(settings, on_ready=_keep_what_is_loaded, on_failure=on_failure)
    certificate = certificate_of(settings)
    config = uvicorn_config(app, settings)
    other = grpc_server(app, settings, certificate)
    listener = passed_socket(os.environ) or (
        unix_socket(settings.uds) if settings.uds else listen(settings.host, settings.port, "port")
    )
    place = _place(listener)
    operations = None
    if settings.operations_port is not None:
        second = listen(settings.host, settings.operations_port, "operations_port")
        operations = operations_at(second, app, settings)
    server = DrainingServer(
        config,
        app.state.service,
        settings.drain_seconds,
        settings.log_level,
        certificate,
        operations,
        other,
    )
    is_local = listener.family == socket.AF_UNIX or _is_loopback(listener.getsockname()[0])
    if settings.api_keys_file is None and not is_local:
        logger.warning(
            "listening on %s without API keys: everybody who reaches it may call;"
            " see --api-keys-file (SENET_API_KEYS_FILE)",
            place.rpartition(":")[0],
        )
    if operations is not None:
        logger.info("probes and metrics on %s:%d", *operations.listener.getsockname()[:2])
    logger.info("listening on %s", place)
    server.run(sockets=[listener])
    logger.info("stopped")
    if failures:
        raise failures[0]


def uvicorn_config(app: FastAPI, settings: Settings) -> uvicorn.Config:
    """How uvicorn serves the application."""
    config = uvicorn.Config(
        app,
        http=_protocol(settings, app, settings.max_connections, for_probes=False),
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
    return config


def operations_at(listener: socket.socket, app: FastAPI, settings: Settings) -> Operations:
    """The operations port."""
    return Operations(listener, _protocol(settings, app, PROBE_CONNECTIONS, for_probes=True))


def grpc_server(
    app: FastAPI, settings: Settings, certificate: RenewedCertificate | None
) -> "GrpcServer | None":
    """The gRPC server, if the settings give it a port.

    Raises:
        ConfigurationError: if the port is taken, or the extra `grpc` is not installed.
    """
    if settings.grpc_port is None:
        return None
    try:
        from app.transport.grpc.server import GrpcServer
    except ImportError as error:
        raise ConfigurationError(
            "grpc_port",
            f"gRPC is not installed ({error})",
            "install the extra grpc, or leave --grpc-port (SENET_GRPC_PORT) out",
        ) from error
    # What is wrong with host or port is told here as for the other ports; the library listens by
    # itself.
    with listen(settings.host, settings.grpc_port, "grpc_port") as listener:
        port: int = listener.getsockname()[1]
    return GrpcServer(app.state.adapter_parts, settings, port, certificate)


def certificate_of(settings: Settings) -> RenewedCertificate | None:
    """The TLS certificate, if the settings name one.

    Raises:
        ConfigurationError: if certificate or key cannot be used.
    """
    if settings.tls_certificate_file is None or settings.tls_key_file is None:
        return None
    return RenewedCertificate(settings.tls_certificate_file, settings.tls_key_file)


def _keep_what_is_loaded() -> None:
    """Takes all objects there are from the garbage collector.

    Code and model stay as long as the process. Under load the collector would go through them
    every few seconds, for tens of milliseconds in which no thread can run Python.
    """
    gc.collect()
    gc.freeze()


def _protocol(
    settings: Settings, app: FastAPI, places: int, *, for_probes: bool
) -> type[BoundedHttpProtocol]:
    take_directly: Callable[[Scope], WireAnswer | DirectRequest | None] = app.state.take_directly
    log: RefusalLog = app.state.refusal_log
    # Whose word on the client's address counts, as uvicorn reads it.
    proxies = _TrustedHosts(settings.forwarded_allow_ips)

    class Protocol(BoundedHttpProtocol):
        connection_limit = ConnectionLimit(
            places, reserve=PROBE_CONNECTIONS, is_proxy=lambda address: address in proxies
        )
        is_for_probes = for_probes
        max_head_bytes = settings.max_head_bytes
        max_fields = _MAX_FIELDS
        head_timeout_seconds = settings.head_timeout_ms / 1000
        max_body_bytes = settings.max_body_bytes
        body_pace = settings.body_pace

        def take_directly(self, scope: Scope) -> WireAnswer | DirectRequest | None:
            scope["client"] = _sender(scope, proxies)
            return take_directly(scope)

        def note_refusal(self, status: int | None, code: str, detail: str) -> None:
            log.note(status, code, detail, self.address)

    return Protocol


def _sender(scope: Scope, proxies: _TrustedHosts) -> tuple[str, int] | None:
    """Who sends a request, as uvicorn's middleware finds it behind proxies that are trusted."""
    client: tuple[str, int] | None = scope["client"]
    said = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
    if said and (client[0] if client else None) in proxies:
        sender = proxies.get_trusted_client_address(b", ".join(said).decode("latin-1"))
        return sender if sender[0] else client
    return client


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
