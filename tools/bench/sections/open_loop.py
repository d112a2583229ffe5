"""Open loop: requests at random times, at a share of what each server can do."""

import asyncio

from app.hardware import available_cores
from tools.bench import queueing
from tools.bench.lineup import Endpoint, Lineup
from tools.bench.plan import Session
from tools.bench.report import Table
from tools.loadtools.generator import Generator, Load

_SHARE = 0.7


def measure(session: Session, lineup: Lineup) -> None:
    """Adds the table of one model; needs its throughput."""
    subject, plan, figures = lineup.subject, session.plan, session.report.figures
    photo = session.photos.usual[0].read_bytes()
    rows = []
    for name, server in lineup.servers.items():
        capacity = figures[f"{subject.name}/images_per_second/{name}"]
        rate = _SHARE * capacity
        if not rate:
            continue  # it has not answered, which the report says already
        load = asyncio.run(_offer(server, photo, rate, plan.open))
        failed = load.offered - load.statuses[200]
        if failed:
            session.report.mistakes.append(
                f"{subject.name}, {name}, open loop: {failed} of {load.offered} requests failed"
            )
        p50, p99 = load.quantile_ms(0.5), load.quantile_ms(0.99)
        session.record(f"{subject.name}/open_p50_ms/{name}", [p50])
        session.record(f"{subject.name}/open_p99_ms/{name}", [p99])
        queue = 1000 * queueing.response_seconds(rate, capacity, available_cores(), 0.99)
        session.record(f"{subject.name}/open_p99_to_queue/{name}", [p99 / queue])
        rows.append((name, rate, p50, p99, queue, p99 / queue, load.busy))
    session.report.tables.append(
        Table(
            f"{subject.name}: open loop at {_SHARE:.0%} of each one's capacity",
            f"Poisson arrivals for {plan.open:g} s; latency counts from the moment a request was"
            " due. The generator runs in Python on the same cores. The queue is M/D/c, simulated:"
            " as many servers as cores, which together have the contender's own capacity.",
            (
                "",
                "requests/s",
                "p50 ms",
                "p99 ms",
                "p99 of the queue, ms",
                "ratio",
                "generator's cores",
            ),
            rows,
        )
    )


async def _offer(server: Endpoint, photo: bytes, rate: float, seconds: float) -> Load:
    generator = Generator(server, [photo])
    try:
        return await generator.offer(rate, seconds, server.path)
    finally:
        generator.close()
