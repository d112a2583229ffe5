"""The search: for each way to set the service, the highest rate that keeps the objective."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

Value = int | float | str
Options = Mapping[str, Value]

_FIRST_SHARE = 0.6
_LOWEST_SHARE = 0.02
_STEP = 1.3
_NEAR_ENOUGH = 1.06
# A difference below it is taken for noise: the settings stay as they are.
_BETTER = 1.05


@dataclass(frozen=True, slots=True)
class Trial:
    """What an open load at one rate met.

    Attributes:
        rate: requests per second that were sent.
        p99_ms: 99th percentile of the latency; infinite if requests failed.
    """

    rate: float
    p99_ms: float


class RunningService(Protocol):
    """A service under test."""

    def effective(self) -> Options:
        """The options that the service has chosen by itself, as it tells them."""
        ...

    def capacity(self) -> float:
        """Requests per second with as many clients as keep it busy, whatever the latency."""
        ...

    def trial(self, rate: float) -> Trial:
        """Sends requests at a rate, at random times, whether or not earlier ones are answered."""
        ...


class Services(Protocol):
    """Starts services."""

    def running(self, options: Options) -> AbstractContextManager[RunningService]:
        """A service with these options for the length of a block."""
        ...


@dataclass(frozen=True, slots=True)
class Row:
    """One way to set the service.

    Attributes:
        options: what was set.
        best: the trial at the highest rate that kept the objective; None if none did, or none
            at a rate above that of the best settings so far.
    """

    options: Options
    best: Trial | None


class Search:
    """One option after the other, each starting from the best settings so far.

    Args:
        services: starts what is tried.
        slo_p99_ms: the objective.
        choices: what to try for each option.
        out_of_time: whether to end.
        report: told each row as it comes.
    """

    def __init__(
        self,
        services: Services,
        slo_p99_ms: float,
        choices: Mapping[str, Sequence[Value]],
        *,
        out_of_time: Callable[[], bool],
        report: Callable[[Row], None],
    ) -> None:
        self._services = services
        self._slo = slo_p99_ms
        self._choices = choices
        self._out_of_time = out_of_time
        self._report = report

    def run(self) -> Row:
        """The best settings: all options that were searched, and what they reach."""
        with self._services.running({}) as service:
            effective = dict(service.effective())
            found = self._highest(service, _FIRST_SHARE * service.capacity())
        options = {name: effective.get(name, values[0]) for name, values in self._choices.items()}
        best = Row(options, found)
        self._report(best)
        for name, values in self._choices.items():
            for value in values:
                if value == best.options[name] or self._out_of_time():
                    continue
                row = self._attempt({**best.options, name: value}, best)
                self._report(row)
                if row.best is not None:
                    best = row
        return best

    def _attempt(self, options: Options, best: Row) -> Row:
        """Tries other settings where the best ones fail: most are out after one trial."""
        with self._services.running(options) as service:
            if best.best is None:
                rate = _FIRST_SHARE * service.capacity()
                return Row(options, self._highest(service, rate))
            first = service.trial(best.best.rate * _BETTER)
            if first.p99_ms > self._slo:
                return Row(options, None)
            return Row(options, self._refine(service, first))

    def _highest(self, service: RunningService, rate: float) -> Trial | None:
        """The trial at the highest rate that keeps the objective, searched from `rate`."""
        lowest = rate * _LOWEST_SHARE
        while True:
            trial = service.trial(rate)
            if trial.p99_ms <= self._slo:
                return self._refine(service, trial)
            rate /= _STEP**2
            if rate < lowest or self._out_of_time():
                return None

    def _refine(self, service: RunningService, good: Trial) -> Trial:
        """Climbs until the objective is lost, then closes in."""
        bad = 0.0
        while not self._out_of_time() and not (bad and bad / good.rate < _NEAR_ENOUGH):
            rate = (good.rate * bad) ** 0.5 if bad else good.rate * _STEP
            trial = service.trial(rate)
            if trial.p99_ms <= self._slo:
                good = trial
            else:
                bad = rate
        return good
