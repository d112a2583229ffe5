"""The gRPC server: its port, its bounds, and its end."""

import logging
import os

# Mistakes of hostile connections do not belong on standard error. Must be set before the import.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

import grpc
from grpc_health.v1.health import SERVICE_NAME as HEALTH

from app.contract.errors import ConfigurationError
from app.settings import Settings
from app.transport.grpc.credentials import renewed_credentials
from app.transport.grpc.health import Health
from app.transport.grpc.receiving import Receiver, small_receiver
from app.transport.grpc.reflection import Reflection
from app.transport.grpc.service import NAME, OpenInference
from app.transport.http.adapters.parts import Parts
from app.transport.tls import RenewedCertificate

logger = logging.getLogger(__name__)

# Beyond the images that may be in flight: health, metadata, reflection.
_MORE_CALLS = 64
_IDLE_MS = 300_000
_KEEP_ALIVE_MS = 60_000
_ONLY_IDENTITY = 1


class GrpcServer:
    """Serves the Open Inference Protocol over gRPC. For one event loop.

    Args:
        parts: what adapters are made of.
        settings: the options.
        port: to listen on.
        certificate: of TLS, if the service has one.

    Attributes:
        port: to listen on.
    """

    def __init__(
        self,
        parts: Parts,
        settings: Settings,
        port: int,
        certificate: RenewedCertificate | None,
    ) -> None:
        self._parts = parts
        self._settings = settings
        self.port = port
        self._certificate = certificate
        self._server: grpc.aio.Server | None = None

    async def start(self) -> None:
        """Listens.

        Raises:
            ConfigurationError: if it cannot.
        """
        settings = self._settings
        server = grpc.aio.server(
            options=_options(settings),
            maximum_concurrent_rpcs=_max_calls(settings),
        )
        receiver = Receiver(
            self._parts.service.memory,
            max_bytes=settings.max_body_bytes,
            max_calls=settings.max_queue_size,
            seconds=settings.body_timeout_ms / 1000,
        )
        small = small_receiver(settings.max_body_bytes, _MORE_CALLS)
        handlers = [
            OpenInference(self._parts, receiver, small).handlers(),
            Health(self._parts.service, small).handlers(),
        ]
        if self._parts.operators is None:
            handlers.append(Reflection((NAME, HEALTH), small).handlers())
        server.add_generic_rpc_handlers(handlers)
        self._server = server
        self._bind(server)
        await server.start()
        logger.info("gRPC on %s", _place(settings.host, self.port))

    async def stop(self, seconds: float) -> None:
        """Takes no more calls, and ends those that are not over within so many seconds."""
        if self._server is not None:
            await self._server.stop(seconds)

    def _bind(self, server: grpc.aio.Server) -> None:
        place = _place(self._settings.host, self.port)
        try:
            if self._certificate is None:
                server.add_insecure_port(place)
            else:
                server.add_secure_port(place, renewed_credentials(self._certificate))
        except RuntimeError as error:
            raise ConfigurationError(
                "grpc_port",
                f"cannot listen on {place}",
                "choose another --grpc-port (SENET_GRPC_PORT)",
            ) from error


def _options(settings: Settings) -> list[tuple[str, int]]:
    return [
        # Of two services that bind one port the second shall fail.
        ("grpc.so_reuseport", 0),
        ("grpc.max_receive_message_length", settings.max_body_bytes),
        # Images are compressed already, and what a message grows to is not bounded.
        ("grpc.compression_enabled_algorithms_bitset", _ONLY_IDENTITY),
        ("grpc.max_allowed_incoming_connections", settings.max_connections),
        ("grpc.max_concurrent_streams", _max_calls(settings)),
        ("grpc.server_handshake_timeout_ms", settings.head_timeout_ms),
        ("grpc.max_metadata_size", settings.max_head_bytes),
        # Else windows grow to megabytes, which a call may fill before it is read.
        ("grpc.http2.bdp_probe", 0),
        ("grpc.max_connection_idle_ms", _IDLE_MS),
        ("grpc.keepalive_time_ms", _KEEP_ALIVE_MS),
    ]


def _max_calls(settings: Settings) -> int:
    """Most calls at once: those that come in, those whose images are in flight, and some more.

    Those of them that are too many get an answer; the library itself refuses what is beyond.
    """
    return 2 * settings.max_queue_size + _MORE_CALLS


def _place(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
