"""One call from first attempt to answer, retries and deadline included. Does no input or output.

A flow is a generator: it yields what to do next, a `Turn`, an `Attempt` or a `Pause`, and is sent
what came of it. `Client` and `AsyncClient` differ only in how they do these things.
"""

import logging
import math
import secrets
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

import httpx

from senet_client.call_options import Retries as Retries
from senet_client.call_options import Retry as Retry
from senet_client.call_options import Timeouts as Timeouts
from senet_client.errors import InvalidArgument, SenetClientError, ServiceError, TimedOut
from senet_client.outcomes import check_request_id, error_of
from senet_client.requests import WireRequest
from senet_client.results import Sent

T = TypeVar("T")

logger = logging.getLogger("senet_client")

_GOOD = (httpx.codes.OK, httpx.codes.ACCEPTED)


@dataclass(frozen=True, slots=True)
class Attempt:
    """Send this, and send back the response or the transport's error."""

    request: WireRequest
    headers: Mapping[str, str]
    timeout: httpx.Timeout
    seconds_left: float


@dataclass(frozen=True, slots=True)
class Turn:
    """Wait in line for this call's turn, so long at most; send back None, or a `TimeoutError`."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait so long, and send back None."""

    seconds: float


Outcome: TypeAlias = "httpx.Response | httpx.RequestError | TimeoutError | None"
Flow: TypeAlias = Generator[Turn | Attempt | Pause, Outcome, T]


@dataclass(slots=True)
class Contact:
    """Whether a client has ever had an answer from its URL."""

    reached: bool = False


@dataclass(frozen=True, slots=True)
class Policy:
    """All that decides how a call proceeds.

    Attributes:
        timeouts: how long things may take.
        retries: when to try again.
        on_retry: told before each pause.
        clock: monotonic time in seconds.
        random: uniform in [0, 1).
        base_url: where the service is, for errors to name.
        contact: whether there ever was an answer from it.
    """

    timeouts: Timeouts
    retries: Retries
    on_retry: Callable[[Retry], None]
    clock: Callable[[], float]
    random: Callable[[], float]
    base_url: str
    contact: Contact

    def url(self, request: WireRequest) -> str:
        """Where a request goes."""
        return f"{self.base_url.rstrip('/')}/{request.path}"

    def call(
        self,
        request: WireRequest,
        parse: Callable[[httpx.Response, Sent], T],
        total: float | None = None,
        names: tuple[str | None, ...] = (),
    ) -> Flow[T]:
        """The flow of one call.

        Args:
            request: what to ask.
            parse: reads a response of status 200 or 202; gets how it was sent as well.
            total: seconds for the whole call; by default that of `timeouts`.
            names: of the images that the request asks about, which wait their turn.

        Raises:
            InvalidArgument: if `total` is not a finite number.
            SenetClientError: the last attempt's error.
        """
        try:
            return (yield from self._call(request, parse, total, bool(names)))
        except SenetClientError as error:
            error.names, error.url = names, self.url(request)
            raise

    def _call(
        self,
        request: WireRequest,
        parse: Callable[[httpx.Response, Sent], T],
        total: float | None,
        in_turn: bool,
    ) -> Flow[T]:
        seconds = self.timeouts.total if total is None else total
        if not isinstance(seconds, int | float) or not math.isfinite(seconds):
            raise InvalidArgument("timeout must be a finite number of seconds")
        deadline = self.clock() + seconds
        request_id = secrets.token_hex(16)
        # A negative number would mean to wait without end.
        if in_turn and (yield Turn(max(0.0, min(seconds, self.timeouts.pool)))) is not None:
            raise TimedOut("other calls of this client were under way all the time")
        began = self.clock()
        for attempt in range(1, self.retries.attempts + 1):
            outcome = yield self._attempt(request, request_id, deadline)
            try:
                if isinstance(outcome, httpx.Response):
                    self.contact.reached = True
                    check_request_id(outcome, request_id)
                if isinstance(outcome, httpx.Response) and outcome.status_code in _GOOD:
                    sent = Sent(attempt, self.clock() - began)
                    logger.debug("%s: answered in %.3f s", request.path, sent.seconds)
                    return parse(outcome, sent)
                error = error_of(outcome)
            except SenetClientError as unexpected:
                error = unexpected
            error.attempts = attempt
            error.request_id = error.request_id or request_id
            pause = self._pause(error, attempt)
            if (
                attempt == self.retries.attempts
                or not self.retries.allows(error)
                or not self._is_worth_waiting(outcome)
                or self.clock() + pause >= deadline
            ):
                break
            logger.info(
                "%s: attempt %d failed, %s; again in %.1f s",
                request.path,
                attempt,
                error.code,
                pause,
            )
            self.on_retry(Retry(error, attempt, pause))
            yield Pause(pause)
        raise error

    def _is_worth_waiting(self, outcome: Outcome) -> bool:
        """Whether the service is, or has been, where the URL says."""
        return (
            self.contact.reached
            or self.retries.unreachable
            or not isinstance(outcome, httpx.ConnectError | httpx.ConnectTimeout | httpx.ProxyError)
        )

    def _attempt(self, request: WireRequest, request_id: str, deadline: float) -> Attempt:
        left = max(0.001, deadline - self.clock())
        headers = {
            "x-request-id": request_id,
            "x-request-timeout-ms": str(math.ceil(left * 1000)),
        }
        if request.content_type is not None:
            headers["content-type"] = request.content_type
        phases = self.timeouts
        timeout = httpx.Timeout(
            connect=min(left, phases.connect),
            write=min(left, phases.write),
            read=min(left, phases.read),
            pool=min(left, phases.pool),
        )
        return Attempt(request, headers, timeout, left)

    def _pause(self, error: SenetClientError, attempt: int) -> float:
        policy = self.retries
        # 2 ** 30 is beyond every bound; a larger exponent could overflow.
        bound = min(policy.longest_pause, policy.first_pause * 2.0 ** min(attempt - 1, 30))
        asked = error.retry_after_seconds if isinstance(error, ServiceError) else None
        return (asked or 0.0) + self.random() * bound
