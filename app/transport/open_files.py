"""How many connections the process's limit on open files allows."""

import logging
import resource

from app.contract.errors import ConfigurationError

logger = logging.getLogger(__name__)

# Listeners, the event loop, the model's files, the log, what /metrics reads; and connections that
# have just been accepted and are about to be refused.
_OWN_FILES = 32


def connections_allowed(wanted: int, further: int) -> int:
    """As many connections as are wanted, or as the limit allows; raises the limit where it may.

    A connection that is accepted without a file descriptor to spare is reset by the system, and
    nobody is told; so fewer are accepted from the start.

    Args:
        wanted: connections, as `max_connections` says.
        further: connections beyond those, for probes.

    Raises:
        ConfigurationError: if the limit leaves none.
    """
    needed = wanted + further + _OWN_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = soft
    if soft != resource.RLIM_INFINITY and soft < needed:
        limit = needed if hard == resource.RLIM_INFINITY else min(hard, needed)
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    if limit == resource.RLIM_INFINITY or limit >= needed:
        return wanted
    allowed = limit - further - _OWN_FILES
    cause = f"{wanted} connections need {needed} open files, and the limit is {limit}"
    remedy = (
        "raise the limit (ulimit -n, LimitNOFILE= of systemd, --ulimit nofile of Docker)"
        " or lower --max-connections (SENET_MAX_CONNECTIONS)"
    )
    if allowed < 1:
        raise ConfigurationError("max_connections", cause, remedy)
    logger.warning("max_connections: %s: %d are accepted; %s", cause, allowed, remedy)
    return allowed
