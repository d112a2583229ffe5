"""How long a call may take, and when it is tried again."""

import math
from dataclasses import dataclass

from senet_client.errors import (
    CertificateRejected,
    ConnectionFailed,
    InvalidArgument,
    SenetClientError,
    TimedOut,
    Unavailable,
)


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long things may take, in seconds.

    Attributes:
        total: the whole call, pauses and retries included. What is left of it travels to the
            service with each attempt, and bounds each phase below.
        connect: to establish a connection.
        write: between two pieces of the request that the network takes.
        read: between two pieces of the answer, and from the request's end to the answer's start.
        pool: for this call's turn among those of the client, see `max_connections`.
    """

    total: float = 60.0
    connect: float = 5.0
    write: float = 30.0
    read: float = 30.0
    pool: float = 60.0

    def __post_init__(self) -> None:
        for name in self.__slots__:
            seconds = getattr(self, name)
            if not isinstance(seconds, int | float) or not 0 < seconds < math.inf:
                raise InvalidArgument(f"{name} must be a positive number of seconds")


@dataclass(frozen=True, slots=True)
class Retries:
    """When and how soon to try again.

    Tried again are: 429, 503, and connections that fail or break, the last because classifying
    an image twice does no harm. Each pause is drawn from 0 up to a bound that doubles ("full
    jitter", M. Brooker, "Exponential Backoff And Jitter", 2015), after whatever time
    `Retry-After` asks for. A pause that would not end by the deadline is not begun.

    A service that cannot be reached and never was is probably a wrong URL: that is told at once.

    Attributes:
        attempts: most attempts, the first included.
        first_pause: bound of the first pause, in seconds.
        longest_pause: bound of every pause, in seconds.
        timeouts: whether an attempt that times out is repeated as well.
        unreachable: whether to wait also for a service that this client has not reached yet.
    """

    attempts: int = 10
    first_pause: float = 0.2
    longest_pause: float = 10.0
    timeouts: bool = False
    unreachable: bool = False

    def __post_init__(self) -> None:
        if self.attempts < 1 or not 0 <= self.first_pause <= self.longest_pause < math.inf:
            raise InvalidArgument(
                "attempts must be at least 1, and first_pause at most longest_pause"
            )

    def allows(self, error: SenetClientError) -> bool:
        """Whether another attempt may help."""
        if isinstance(error, TimedOut):
            return self.timeouts
        return isinstance(error, Unavailable | ConnectionFailed) and not isinstance(
            error, CertificateRejected
        )


@dataclass(frozen=True, slots=True)
class Retry:
    """Told to `on_retry` before each pause.

    Attributes:
        error: why the attempt failed.
        attempt: which one failed, from 1.
        pause_seconds: until the next one.
    """

    error: SenetClientError
    attempt: int
    pause_seconds: float
