"""Closed loop with many clients: images a second, beside the bare loop of the same round."""

from collections.abc import Callable
from contextlib import ExitStack
from functools import partial

from app.hardware import available_cores
from tools.bench.bare import Bare
from tools.bench.contenders import BARE, BARE_SHIPPED, SHIPPED, Endpoint, Lineup
from tools.bench.plan import Session
from tools.bench.report import Table
from tools.bench.rounds import interleave, median_ratio
from tools.loadtools.bodies import raw
from tools.loadtools.wrk import Run, together


def measure(session: Session, lineup: Lineup) -> None:
    """Adds the table of one model."""
    subject, plan, photos = lineup.subject, session.plan, session.photos.usual
    runs: dict[str, list[Run]] = {name: [] for name in lineup.servers}

    def loop(bare: Bare) -> float:
        done = bare.run(plan.closed)
        return done.images / done.seconds

    def serve(name: str, server: Endpoint) -> float:
        run = session.closed(
            server.url, server, raw(photos), clients=session.clients, seconds=plan.closed
        )
        runs[name].append(run)
        return run.rate

    with ExitStack() as stack:
        bare = stack.enter_context(subject.bare(photos, subject.precision, available_cores()))
        measures: dict[str, Callable[[], float]] = {BARE: partial(loop, bare)}
        if SHIPPED in lineup.servers and lineup.shipped_precision != subject.precision:
            shipped = subject.bare(photos, lineup.shipped_precision, available_cores())
            measures[BARE_SHIPPED] = partial(loop, stack.enter_context(shipped))
        bare.run(plan.warm)
        for name, server in lineup.servers.items():
            measures[name] = partial(serve, name, server)
            session.closed(
                server.url, server, raw(photos), clients=session.clients, seconds=plan.warm
            )
        rates = interleave(measures, plan.rounds)

    medians = session.record_each(f"{subject.name}/images_per_second", rates)
    rows = []
    for name, values in rates.items():
        ratio = median_ratio(values, rates[BARE])
        session.report.figures[f"{subject.name}/ratio/{name}"] = ratio
        busy = memory = None
        if name in runs:
            busy, memory = together(runs[name])
            session.report.figures[f"{subject.name}/memory_mib/{name}"] = memory
        rows.append((name, medians[name], ratio, min(values), max(values), memory, busy))
    session.report.tables.append(
        Table(
            f"{subject.name}: throughput with {session.clients} clients",
            f"Raw bodies; {_precisions(lineup)}. Median of {plan.rounds} rounds of"
            f" {plan.closed:g} s in which all take turns; the ratio is the median of each round's.",
            (
                "", "images/s", "ratio to bare", "lowest", "highest", "resident MiB",
                "wrk's cores",
            ),
            rows,
        )
    )  # fmt: skip


def _precisions(lineup: Lineup) -> str:
    if SHIPPED not in lineup.servers:
        return f"the bare loop in {lineup.subject.precision}"
    return (
        f"{lineup.subject.precision} where nothing else is said, the service as shipped took"
        f" {lineup.shipped_precision}"
    )
