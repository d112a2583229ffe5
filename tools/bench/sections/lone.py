"""One lone client: the latency of a request, beside decoding and inference alone."""

from collections.abc import Callable
from contextlib import ExitStack
from functools import partial

from app.hardware import available_cores
from tools.bench.bare import Bare
from tools.bench.contenders import (
    BARE,
    BARE_SAME_THREADS,
    BARE_SHIPPED_THREADS,
    PLAIN_WORKERS,
    SAME,
    SHIPPED,
    Endpoint,
    Lineup,
)
from tools.bench.plan import Session
from tools.bench.report import Cell, Table
from tools.bench.rounds import interleave
from tools.loadtools.bodies import raw


def measure(session: Session, lineup: Lineup) -> None:
    """Adds the table of one model."""
    subject, plan, photos = lineup.subject, session.plan, session.photos.usual

    def loop(bare: Bare) -> float:
        return bare.run(plan.lone).median_ms

    def serve(server: Endpoint) -> float:
        return session.closed(server.url, server, raw(photos), clients=1, seconds=plan.lone).p50_ms

    with ExitStack() as stack:
        measures: dict[str, Callable[[], float]] = {}
        cores = available_cores()
        loops = [
            (BARE, subject.precision, 1),
            (BARE_SAME_THREADS, subject.precision, lineup.threads.get(SAME, cores)),
        ]
        if SHIPPED in lineup.servers:
            loops.append((BARE_SHIPPED_THREADS, lineup.shipped_precision, lineup.threads[SHIPPED]))
        for name, precision, threads in loops:
            bare = stack.enter_context(subject.bare_lone(photos, precision, threads))
            bare.run(plan.warm)
            measures[name] = partial(loop, bare)
        for name, server in lineup.servers.items():
            if name != PLAIN_WORKERS:
                measures[name] = partial(serve, server)
        times = interleave(measures, plan.rounds)

    medians = session.record_each(f"{subject.name}/lone_ms", times)
    rows: list[tuple[Cell, ...]] = [
        (name, median, *(median - medians[base] for base in (BARE, _fellow(name))))
        for name, median in medians.items()
    ]
    session.report.tables.append(
        Table(
            f"{subject.name}: latency of one lone client",
            f"Median latency of a run, median of {plan.rounds} rounds of {plan.lone:g} s. The bare"
            f" loop runs {subject.precision} with one thread in the first row;"
            f"{_threads(lineup)} the last column is against the bare loop that does the same work.",
            ("", "ms", "added to one thread, ms", "added to bare, ms"),
            rows,
        )
    )


def _fellow(name: str) -> str:
    """The bare loop that does the same work."""
    return BARE_SHIPPED_THREADS if name in (SHIPPED, BARE_SHIPPED_THREADS) else BARE_SAME_THREADS


def _threads(lineup: Lineup) -> str:
    if SHIPPED not in lineup.servers:
        return " below it as many as there are cores;"
    return (
        f" the service has {lineup.threads[SAME]} in a run with the same file and"
        f" {lineup.threads[SHIPPED]} as shipped;"
    )
