"""Sockets that listen: for plain connections the event loop's own, for TLS one that counts them."""

import asyncio
import errno
import logging
import socket
import ssl
from collections.abc import Callable
from functools import partial

from app.contract.errors import ConfigurationError
from app.transport.http.protocol import BoundedHttpProtocol

logger = logging.getLogger(__name__)

# Until file descriptors are free again.
_PAUSE_SECONDS = 0.1


def listen(host: str, port: int, option: str) -> socket.socket:
    """A socket that listens.

    Args:
        host: name or address.
        port: 0 lets the system choose.
        option: the setting that says which port.

    Raises:
        ConfigurationError: if it cannot.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        # Of two services that bind one port, the second fails only here.
        listener.listen()
    except OSError as error:
        listener.close()
        is_host = isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL
        name = "host" if is_host else option
        raise ConfigurationError(
            name,
            f"cannot listen on {host}:{port} ({error.strerror})",
            f"choose another --{name.replace('_', '-')} (SENET_{name.upper()})",
        ) from error
    return listener


class TlsListener:
    """Accepts connections over TLS; a handshake counts as an open connection, and may take as long
    as a request's head.

    The event loop's own servers tell of a connection when its handshake is over, and of one that
    fails never.

    Args:
        listener: the socket.
        make_protocol: makes the protocol of one connection.
        context: has the certificate.
        seconds: longest handshake.
        backlog: connections that the system may hold before they are accepted.
    """

    def __init__(
        self,
        listener: socket.socket,
        make_protocol: Callable[[], BoundedHttpProtocol],
        context: ssl.SSLContext,
        *,
        seconds: float,
        backlog: int,
    ) -> None:
        self._listener = listener
        self._make_protocol = make_protocol
        self._context = context
        self._seconds = seconds
        self._loop = asyncio.get_running_loop()
        self._handshakes: set[asyncio.Task[None]] = set()
        listener.setblocking(False)
        listener.listen(backlog)
        self._accepting = self._loop.create_task(self._accept())

    def close(self) -> None:
        """Accepts no more, and ends the handshakes that are going on."""
        for task in (self._accepting, *self._handshakes):
            task.cancel()

    async def wait_closed(self) -> None:
        """Returns once nothing of it goes on."""
        await asyncio.gather(self._accepting, *self._handshakes, return_exceptions=True)

    async def _accept(self) -> None:
        while True:
            try:
                connection, address = await self._loop.sock_accept(self._listener)
            except OSError as error:
                if error.errno != errno.ECONNABORTED:
                    logger.warning("cannot accept a connection: %s", error.strerror)
                    await asyncio.sleep(_PAUSE_SECONDS)
                continue
            protocol = self._make_protocol()
            task = self._loop.create_task(self._shake_hands(connection, protocol))
            self._handshakes.add(task)
            task.add_done_callback(partial(self._end, connection, protocol))
            protocol.begin_handshake(str(address[0]), task.cancel)

    async def _shake_hands(self, connection: socket.socket, protocol: BoundedHttpProtocol) -> None:
        try:
            await self._loop.connect_accepted_socket(
                lambda: protocol,
                connection,
                ssl=self._context,
                ssl_handshake_timeout=self._seconds,
            )
        except OSError as error:
            protocol.fail_handshake(f"the TLS handshake failed: {error}")
            connection.close()

    def _end(
        self, connection: socket.socket, protocol: BoundedHttpProtocol, task: asyncio.Task[None]
    ) -> None:
        self._handshakes.discard(task)
        if task.cancelled():  # perhaps before it began
            protocol.connection_limit.close(protocol)
            connection.close()
