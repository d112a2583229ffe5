"""The services under test: children of this process."""

import asyncio
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager

import uvloop

from app.contract.errors import ConfigurationError
from tools.loadtools.generator import Generator, Load
from tools.loadtools.operations import served_model
from tools.loadtools.process import NotReady, Server, service
from tools.tune.search import Options, Trial

_ENOUGH_REQUESTS = 200
_LONGEST_TRIAL_SECONDS = 10.0
# One in a hundred may be late.
_LATE_SHARE = 0.01
# Its own connections, keys and log are not part of what is tuned.
_FIXED = {"host": "127.0.0.1", "log_level": "warning", "access_log_share": 0}


class ChildServices:
    """Starts the service with the options of the user, and those that are tried.

    Args:
        options: those of the user.
        images: encoded images to send.
        slo_p99_ms: the objective.
        trial_seconds: how long a trial lasts.
    """

    def __init__(
        self,
        options: Mapping[str, str],
        images: Sequence[bytes],
        *,
        slo_p99_ms: float,
        trial_seconds: float,
    ) -> None:
        self._options = options
        self._images = images
        self._slo_p99_ms = slo_p99_ms
        self._trial_seconds = trial_seconds

    @contextmanager
    def running(self, options: Options) -> Iterator["ChildService"]:
        """See `Services`.

        Raises:
            ConfigurationError: if the service does not start.
        """
        environment = _environment({**self._options, **options, **_FIXED})
        try:
            with (
                service([], environment=environment) as server,
                closing(
                    ChildService(server, self._images, self._slo_p99_ms, self._trial_seconds)
                ) as child,
            ):
                yield child
        except NotReady as error:
            cause = error.reason.splitlines()[-1] if error.reason else "it said nothing"
            raise ConfigurationError(
                "tune",
                f"the service does not start: {cause}",
                "make `python -m app` start with the same options first",
            ) from error


class ChildService:
    """A service that runs; see `RunningService`."""

    def __init__(
        self, server: Server, images: Sequence[bytes], slo_p99_ms: float, trial_seconds: float
    ) -> None:
        self._server = server
        self._generator = Generator(server, images)
        self._slo_p99_ms = slo_p99_ms
        self._trial_seconds = trial_seconds
        # Connections live as long as their event loop.
        self._loop = asyncio.Runner(loop_factory=uvloop.new_event_loop)

    def close(self) -> None:
        """Closes its connections."""
        self._generator.close()
        self._loop.close()

    def effective(self) -> Options:
        """See `RunningService`."""
        model = self._loop.run(served_model(self._server.port))
        return {"precision": model["precision"], "inference_threads": model["threads"]}

    def capacity(self) -> float:
        """See `RunningService`."""
        self._loop.run(self._generator.closed(self._trial_seconds / 2))
        return max(1.0, self._loop.run(self._generator.closed(self._trial_seconds)).goodput)

    def trial(self, rate: float) -> Trial:
        """See `RunningService`."""
        seconds = min(max(self._trial_seconds, _ENOUGH_REQUESTS / rate), _LONGEST_TRIAL_SECONDS)
        objective = Objective(self._slo_p99_ms, allowed_late=int(rate * seconds * _LATE_SHARE))
        try:
            load = self._loop.run(
                self._generator.offer(rate, seconds, hopeless=objective.is_missed)
            )
        except TimeoutError:
            return Trial(rate, float("inf"))
        return Trial(rate, float("inf") if objective.is_missed(load) else load.quantile_ms(0.99))


class Objective:
    """Tells while a load runs whether the objective can still be kept.

    Args:
        slo_p99_ms: the objective.
        allowed_late: requests that may take longer.
    """

    def __init__(self, slo_p99_ms: float, allowed_late: int) -> None:
        self._limit_seconds = slo_p99_ms / 1000
        self._allowed_late = allowed_late
        self._seen = self._late = 0

    def is_missed(self, load: Load) -> bool:
        """Whether a request has failed, or too many were late."""
        answered = load.latencies[self._seen :]
        self._seen += len(answered)
        self._late += sum(latency > self._limit_seconds for _, latency in answered)
        failed = load.statuses.total() - len(load.latencies)
        return failed > 0 or self._late > self._allowed_late


def _environment(options: Mapping[str, object]) -> dict[str, str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith("SENET_")}
    return own | {f"SENET_{name.upper()}": str(value) for name, value in options.items()}
