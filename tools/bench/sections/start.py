"""From the start of the process to its readiness."""

from collections.abc import Callable, Mapping
from functools import partial

from tools.bench import peers
from tools.bench.lineup import SAME, SHIPPED, Chosen
from tools.bench.plan import Session
from tools.bench.report import Table
from tools.bench.rounds import interleave
from tools.bench.subject import Subject
from tools.loadtools.process import Server


def measure(session: Session, subject: Subject, chosen: Mapping[str, Chosen]) -> None:
    """Adds the table of one model file; peers are set for many clients."""

    def ready(make: Callable[[], Server]) -> float:
        with make() as server:
            return server.ready_seconds

    starts: dict[str, Callable[[], Server]] = {SAME: subject.same, SHIPPED: subject.as_shipped}
    for peer, settings in chosen.items():
        starts[peer] = partial(peers.start, peer, subject, settings.many)
    times = interleave(
        {name: partial(ready, make) for name, make in starts.items()}, session.plan.starts
    )
    medians = session.record_each(f"{subject.name}/start_s", times)
    session.report.tables.append(
        Table(
            f"{subject.name}: start to ready",
            f"Seconds until it says that it is ready, median of {session.plan.starts} starts. The"
            " service has verified, warmed and tested its model by then; the others have only"
            " loaded it.",
            ("", "s", "lowest", "highest"),
            [(name, medians[name], min(each), max(each)) for name, each in times.items()],
        )
    )
