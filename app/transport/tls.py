"""The TLS certificate, which is renewed while the service runs."""

import asyncio
import logging
import ssl
from pathlib import Path
from typing import NoReturn

from app.contract.errors import ConfigurationError

logger = logging.getLogger(__name__)

_LOOK_SECONDS = 2.0

Stamp = tuple[tuple[int, int, int] | None, ...]


class RenewedCertificate:
    """A certificate and its key as their files are now, for the connections to come.

    A pair that cannot be used is logged and ignored, and the one before stays in use. Connections
    that are open keep the certificate that they began with.

    Args:
        certificate_file: PEM, the certificate and the chain to its issuer.
        key_file: PEM, its private key, not encrypted.

    Raises:
        ConfigurationError: if the pair cannot be used to begin with.
    """

    def __init__(self, certificate_file: Path, key_file: Path) -> None:
        self._certificate_file = certificate_file
        self._key_file = key_file
        self._in_use = self._seen = self._failed = self._stamp()
        try:
            self._current = _context(certificate_file, key_file)
            self.pair = self._read_pair()
            """The private key and the certificate chain in use, both PEM."""
        except (OSError, ValueError) as error:
            raise ConfigurationError(
                "tls_certificate_file",
                f"the TLS certificate and key cannot be used ({error})",
                "give a PEM certificate chain and the key that belongs to it, not encrypted",
            ) from error
        self.context = self._current
        """What to listen with: each handshake goes on with the pair then in use.

        A new pair gets a context of its own, for one that is changed is left with half of a pair
        that turns out to be broken.
        """
        # Called in every handshake, whether or not the client names a server.
        self.context.sni_callback = self._choose

    async def watch(self) -> None:
        """Looks for a new pair every two seconds, until cancelled."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            # The files may lie on a network's disk.
            await asyncio.to_thread(self.look)

    def look(self) -> None:
        """Loads the pair if it has changed, once it has stopped changing.

        The two files are seldom replaced in the same moment: a pair that differs from what the
        last look saw may be half of one.
        """
        stamp = self._stamp()
        is_still = stamp == self._seen
        self._seen = stamp
        if is_still and stamp != self._in_use:
            self._load(stamp)

    def reload(self) -> None:
        """Loads the pair at once if it has changed."""
        if (stamp := self._stamp()) != self._in_use:
            self._failed = self._in_use  # so that a failure is told again to whoever asks again
            self._load(stamp)

    def _load(self, stamp: Stamp) -> None:
        try:
            self._current = _context(self._certificate_file, self._key_file)
            self.pair = self._read_pair()
        except (OSError, ValueError) as error:
            if stamp != self._failed:
                logger.error("TLS certificate not reread: %s", error)  # noqa: TRY400 - no traceback
            self._failed = stamp
            return
        self._in_use = self._failed = stamp
        logger.info("TLS certificate reread: %s", self._certificate_file)

    def _read_pair(self) -> tuple[bytes, bytes]:
        return self._key_file.read_bytes(), self._certificate_file.read_bytes()

    def _choose(
        self, connection: ssl.SSLSocket | ssl.SSLObject, _name: str | None, _: ssl.SSLContext
    ) -> None:
        connection.context = self._current

    def _stamp(self) -> Stamp:
        return tuple(_file_stamp(path) for path in (self._certificate_file, self._key_file))


def _file_stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()  # of the file that a link leads to: Kubernetes swaps links
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size


def _context(certificate_file: Path, key_file: Path) -> ssl.SSLContext:
    """A server's context with the pair.

    Raises:
        OSError: if a file cannot be read or the two do not belong together; `ssl.SSLError` is one.
        ValueError: if the key is encrypted.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate_file, key_file, password=_no_password)
    return context


def _no_password() -> NoReturn:
    # Without this OpenSSL asks at the terminal, and everything waits.
    raise ValueError("the private key is encrypted")
