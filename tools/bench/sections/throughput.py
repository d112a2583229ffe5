"""Closed loop with many clients: images a second, beside the limit and mosec in the same rounds."""

import statistics
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial

from app.hardware import available_cores
from tools.bench.bare import Bare
from tools.bench.lineup import LIMIT_BATCHES, Endpoint, Lineup
from tools.bench.peers import MOSEC
from tools.bench.plan import Session
from tools.bench.report import Table
from tools.bench.rounds import interleave, median_ratio
from tools.loadtools.bodies import raw
from tools.loadtools.wrk import Run, together


def measure(session: Session, lineup: Lineup) -> None:
    """Adds the table of one model file."""
    subject, plan, photos = lineup.subject, session.plan, session.photos.usual
    runs: dict[str, list[Run]] = {name: [] for name in lineup.servers}
    figures = session.report.figures

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
        measures: dict[str, Callable[[], float]] = {}
        # A GPU's loop has a batch of its own.
        for batch in LIMIT_BATCHES if subject.provider == "cpu" else LIMIT_BATCHES[:1]:
            bare = stack.enter_context(subject.bare(photos, available_cores(), batch))
            bare.run(plan.warm)
            measures[_limit(batch)] = partial(loop, bare)
        limits = list(measures)
        for name, server in lineup.servers.items():
            measures[name] = partial(serve, name, server)
            session.closed(
                server.url, server, raw(photos), clients=session.clients, seconds=plan.warm
            )
        rates = interleave(measures, plan.rounds)

    medians = session.record_each(f"{subject.name}/images_per_second", rates)
    limit = rates[max(limits, key=medians.__getitem__)]
    rows = []
    for name, values in rates.items():
        of_limit = median_ratio(values, limit)
        figures[f"{subject.name}/of_limit/{name}"] = of_limit
        to_mosec = busy = memory = None
        if MOSEC in rates and statistics.median(rates[MOSEC]):
            to_mosec = median_ratio(values, rates[MOSEC])
            figures[f"{subject.name}/to_mosec/{name}"] = to_mosec
        if name in runs:
            busy, memory = together(runs[name])
            figures[f"{subject.name}/memory_mib/{name}"] = memory
        rows.append(
            (name, medians[name], of_limit, to_mosec, min(values), max(values), memory, busy)
        )
    session.report.tables.append(
        Table(
            f"{subject.name}: throughput with {session.clients} clients",
            f"Raw bodies.{_shipped(lineup)} Median of {plan.rounds} rounds of {plan.closed:g} s in"
            " which all take turns; a ratio is the median of each round's. The limit is the better"
            " of the first rows.",
            (
                "", "images/s", "of the limit", "to mosec", "lowest", "highest", "resident MiB",
                "wrk's cores",
            ),
            rows,
        )
    )  # fmt: skip


def _limit(batch: int) -> str:
    return f"limit, batches of {batch}"


def _shipped(lineup: Lineup) -> str:
    if lineup.shipped_precision is None:
        return ""
    return f" The service as shipped took {lineup.shipped_precision}."
