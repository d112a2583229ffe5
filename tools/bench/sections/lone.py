"""One lone client: the latency of a request, beside the plain server and the work alone."""

from collections.abc import Callable
from contextlib import ExitStack
from functools import partial

from app.hardware import available_cores
from tools.bench.bare import Bare
from tools.bench.lineup import (
    BARE_SAME_THREADS,
    BARE_SHIPPED_THREADS,
    SAME,
    SHIPPED,
    Endpoint,
    Lineup,
)
from tools.bench.peers import PLAIN
from tools.bench.plan import Session
from tools.bench.report import Cell, Table
from tools.bench.rounds import interleave, median_ratio
from tools.loadtools.bodies import raw


def measure(session: Session, lineup: Lineup) -> None:
    """Adds the table of one model file."""
    subject, plan, photos = lineup.subject, session.plan, session.photos.usual
    figures = session.report.figures

    def loop(bare: Bare) -> float:
        return bare.run(plan.lone).median_ms

    def serve(server: Endpoint) -> float:
        return session.closed(server.url, server, raw(photos), clients=1, seconds=plan.lone).p50_ms

    with ExitStack() as stack:
        measures: dict[str, Callable[[], float]] = {}
        threads = lineup.threads.get(SAME, available_cores())
        loops = [(BARE_SAME_THREADS, subject.precision, threads)]
        if lineup.shipped_precision is not None:
            loops.append((BARE_SHIPPED_THREADS, lineup.shipped_precision, lineup.threads[SHIPPED]))
        for name, precision, threads in loops:
            bare = stack.enter_context(subject.bare_lone(photos, precision, threads))
            bare.run(plan.warm)
            measures[name] = partial(loop, bare)
        for name, server in lineup.lone.items():
            measures[name] = partial(serve, server)
        times = interleave(measures, plan.rounds)

    medians = session.record_each(f"{subject.name}/lone_ms", times)
    rows: list[tuple[Cell, ...]] = []
    for name, median in medians.items():
        added = median - medians[_fellow(name)]
        figures[f"{subject.name}/lone_added_ms/{name}"] = added
        to_plain = None
        if medians.get(PLAIN):
            to_plain = median_ratio(times[name], times[PLAIN])
            figures[f"{subject.name}/lone_to_plain/{name}"] = to_plain
        rows.append((name, median, to_plain, added))
    session.report.tables.append(
        Table(
            f"{subject.name}: latency of one lone client",
            f"Median latency of a run, median of {plan.rounds} rounds of {plan.lone:g} s."
            f"{_threads(lineup)} The last column is against decoding and inference alone, in as"
            " many threads.",
            ("", "ms", "to the plain server", "added to bare, ms"),
            rows,
        )
    )


def _fellow(name: str) -> str:
    """The bare loop that does the same work."""
    return BARE_SHIPPED_THREADS if name in (SHIPPED, BARE_SHIPPED_THREADS) else BARE_SAME_THREADS


def _threads(lineup: Lineup) -> str:
    if SAME not in lineup.threads:
        return " The bare loop has as many threads in a run as there are cores."
    shipped = ""
    if SHIPPED in lineup.threads:
        shipped = f" and {lineup.threads[SHIPPED]} as shipped"
    return f" The service has {lineup.threads[SAME]} in a run with the same file{shipped}."
