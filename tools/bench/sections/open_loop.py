"""Open loop: requests at random times, at a share of what each server can do."""

import asyncio

from tools.bench.contenders import PLAIN_WORKERS, Endpoint, Lineup
from tools.bench.plan import Session
from tools.bench.report import Table
from tools.loadtools.generator import Generator, Load

_SHARE = 0.7


def measure(session: Session, lineup: Lineup) -> None:
    """Adds the table of one model; needs its throughput and its lone latency."""
    subject, plan, figures = lineup.subject, session.plan, session.report.figures
    photo = session.photos.usual[0].read_bytes()
    rows = []
    for name, server in lineup.servers.items():
        if name == PLAIN_WORKERS:
            continue
        rate = _SHARE * figures[f"{subject.name}/images_per_second/{name}"]
        lone = figures[f"{subject.name}/lone_ms/{name}"]
        if not rate or not lone:
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
        rows.append((name, rate, p50, p99, p99 / lone, load.busy))
    session.report.tables.append(
        Table(
            f"{subject.name}: open loop at {_SHARE:.0%} of each one's capacity",
            f"Poisson arrivals for {plan.open:g} s; latency counts from the moment a request was"
            " due. The generator runs in Python on the same cores.",
            ("", "requests/s", "p50 ms", "p99 ms", "p99 / lone latency", "generator's cores"),
            rows,
        )
    )


async def _offer(server: Endpoint, photo: bytes, rate: float, seconds: float) -> Load:
    generator = Generator(server, [photo])
    try:
        return await generator.offer(rate, seconds, server.path)
    finally:
        generator.close()
