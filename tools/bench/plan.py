"""How long each part takes, and what the parts share."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.bench.idle import wait_until_idle
from tools.bench.lineup import Endpoint
from tools.bench.report import Report
from tools.loadtools import pictures, wrk
from tools.loadtools.bodies import Bodies

SECTIONS = ("throughput", "lone", "open", "overload", "forms", "start", "http", "scaling")
"""The parts of the benchmark, in order."""
QUICK_SECTIONS = ("throughput", "lone", "open", "overload", "start", "http")
"""Those of a quick run, unless others are asked for."""


@dataclass(frozen=True)
class Plan:
    """Durations in seconds, and repetitions.

    Attributes:
        rounds: in which contenders take turns.
        warm: before the first round, for each contender.
        tryout: of one run with many clients for each setting of a peer; 0 tries none.
        closed: of one run with many clients, for what the goals are about.
        short: of one such run for everything else.
        lone: of one run with one client.
        open: of one run at a fixed rate, or above the capacity.
        starts: of the service.
    """

    rounds: int
    warm: int
    tryout: int
    closed: int
    short: int
    lone: int
    open: int
    starts: int


FULL = Plan(rounds=3, warm=2, tryout=4, closed=4, short=2, lone=2, open=10, starts=5)
QUICK = Plan(rounds=2, warm=1, tryout=0, closed=1, short=1, lone=1, open=4, starts=3)
# Of a closed loop, in seconds: until as many requests end as begin.
_RAMP = 1


@dataclass(frozen=True)
class Photos:
    """What to send; drawn when first asked for, unless the user has given some.

    Attributes:
        folder: where drawn ones and request bodies lie.
        given: the user's usual ones.
        given_large: and those of 8 megapixels and more.
    """

    folder: Path
    given: tuple[Path, ...] = ()
    given_large: tuple[Path, ...] = ()

    @property
    def usual(self) -> tuple[Path, ...]:
        """As in ImageNet."""
        return self.given or self.of(pictures.SMALL)

    @property
    def large(self) -> tuple[Path, ...]:
        """As of a telephone."""
        return self.given_large or self.of(pictures.LARGE)

    def of(self, size: tuple[int, int]) -> tuple[Path, ...]:
        """Drawn ones of `size` (width, height)."""
        return pictures.drawn(self.folder, size)


@dataclass(frozen=True)
class Session:
    """One run of the benchmark.

    Attributes:
        plan: durations.
        photos: what to send.
        clients: that keep a server busy.
        report: takes what is found.
    """

    plan: Plan
    photos: Photos
    clients: int
    report: Report

    def closed(
        self, url: str, server: Endpoint, bodies: Bodies, *, clients: int, seconds: int
    ) -> wrk.Run:
        """Closed-loop load; answers that are not a success are noted in the report.

        Returns once the server is idle, so that the next measurement has the machine to itself.
        """
        run = wrk.run(
            url,
            bodies,
            clients=clients,
            seconds=seconds,
            ramp=0 if clients == 1 else _RAMP,
            memory_mib=lambda: server.resident_mib,
        )
        if run.failed:
            self.report.mistakes.append(f"{url}: {run.failed} of {run.requests} requests failed")
        if not run.rate:
            self.report.mistakes.append(
                f"{url}: no answer to {clients} clients within {seconds} s of full load"
            )
        if not wait_until_idle(lambda: server.processor_seconds):
            self.report.mistakes.append(f"{url}: still busy long after its last client")
        return run

    def record(self, name: str, values: Sequence[float]) -> float:
        """Keeps a figure's rounds and their median, which it returns."""
        self.report.rounds[name] = list(values)
        self.report.figures[name] = statistics.median(values)
        return self.report.figures[name]

    def record_each(self, prefix: str, values: Mapping[str, Sequence[float]]) -> dict[str, float]:
        """`record` for each contender."""
        return {name: self.record(f"{prefix}/{name}", each) for name, each in values.items()}
