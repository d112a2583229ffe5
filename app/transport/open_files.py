"""How many connections the process's limit on open files allows."""

import logging
import math
import resource

from app.contract.errors import ConfigurationError
from app.hardware import memory_limit_bytes
from app.inference.decoder_count import decoder_count
from app.settings import Settings
from app.transport.http.connection_limit import PROBE_CONNECTIONS

logger = logging.getLogger(__name__)

# Listeners, the event loop, the model's files, the log, what /metrics reads; and connections that
# have just been accepted and are about to be refused.
_OWN_FILES = 32


def open_files(settings: Settings) -> tuple[int, int]:
    """How many files the service may have to open, and how many of them it may open.

    The second is what the hard limit allows, to which a process may raise its own, the soft one.
    """
    pools = 1 if settings.operations_port is None else 3
    needed = _ports(settings) * settings.max_connections + pools * PROBE_CONNECTIONS + _OWN_FILES
    needed += _decoders(settings)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return needed, needed if hard == resource.RLIM_INFINITY else min(needed, hard)


def _ports(settings: Settings) -> int:
    """How many ports may have `max_connections` each."""
    return 1 if settings.grpc_port is None else 2


def _decoders(settings: Settings) -> int:
    """Processes that decode; there is a socket to each."""
    return decoder_count(settings, memory_limit_bytes())


def shortage(settings: Settings) -> str | None:
    """What is wrong with the limit on open files, and a remedy; None if nothing is."""
    needed, limit = open_files(settings)
    if limit == needed:
        return None
    decoders = _decoders(settings)
    beside = f" and {decoders} processes that decode" if decoders else ""
    return (
        f"{settings.max_connections} connections{beside} need {needed} open files, and the limit is"
        f" {limit}; raise it (ulimit -n, LimitNOFILE= of systemd, --ulimit nofile of Docker)"
        " or lower --max-connections (SENET_MAX_CONNECTIONS)"
    )


def connections_allowed(settings: Settings) -> int:
    """As many connections as are wanted, or as the limit allows; raises the limit where it may.

    A connection that is accepted without a file descriptor to spare is reset by the system, and
    nobody is told; so fewer are accepted from the start, with a warning.

    Raises:
        ConfigurationError: if the limit leaves none.
    """
    needed, limit = open_files(settings)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < limit:
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    allowed = settings.max_connections - math.ceil((needed - limit) / _ports(settings))
    if (text := shortage(settings)) is not None:
        if allowed < 1:
            cause, _, remedy = text.partition("; ")
            raise ConfigurationError("max_connections", cause, remedy)
        logger.warning("max_connections: only %d are accepted: %s", allowed, text)
    return allowed
