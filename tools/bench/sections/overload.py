"""Goodput far above the capacity, beside what the generator of the load leaves of the cores."""

import asyncio
import statistics
from collections.abc import Iterable

import uvloop

from app.hardware import available_cores
from tools.bench.lineup import SHIPPED, Lineup
from tools.bench.plan import Session
from tools.bench.report import Table
from tools.loadtools.generator import Generator, Load

_FACTOR = 4.0
_REFUSED = 429


def measure(session: Session, lineup: Lineup) -> None:
    """Adds the table of the service as shipped."""
    server, plan = lineup.servers[SHIPPED], session.plan
    images = [photo.read_bytes() for photo in session.photos.usual]

    async def rounds() -> list[tuple[Load, Load]]:
        generator = Generator(server, images)
        found = []
        await generator.closed(plan.warm, session.clients)
        for _ in range(plan.rounds):
            calm = await generator.closed(plan.open, session.clients)
            found.append((calm, await generator.offer(_FACTOR * calm.goodput, plan.open)))
        generator.close()
        return found

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        found = runner.run(rounds())
    cores = available_cores()
    shares = [over.goodput / left(calm, over, cores) for calm, over in found]
    for calm, over in found:
        lost = calm.offered - calm.statuses[200]
        lost += over.offered - over.statuses[200] - over.statuses[_REFUSED]
        if lost:
            session.report.mistakes.append(f"overload: {lost} answers neither 200 nor 429")
    name = lineup.subject.name
    session.record(f"{name}/goodput/{SHIPPED}", shares)
    calm, over = found[-1]
    session.report.tables.append(
        Table(
            f"{name}: goodput at {_FACTOR:g}x, the service as shipped",
            f"Poisson arrivals at {_FACTOR:g} times what {session.clients} waiting clients get, for"
            f" {plan.open:g} s; medians of {plan.rounds} rounds, and the last one's generator. The"
            " generator runs in Python on the same cores: what it takes of them more than for the"
            " waiting clients is not a capacity of the service.",
            ("", "images/s", "of the capacity that is left", "generator's cores"),
            [
                ("waiting clients", _median(calm for calm, _ in found), None, calm.busy),
                (f"{_FACTOR:g}x", _median(over for _, over in found), statistics.median(shares),
                 over.busy),
            ],
        )
    )  # fmt: skip


def left(calm: Load, over: Load, cores: int) -> float:
    """The capacity, in images a second, that the generator leaves under overload.

    Args:
        calm: the load of waiting clients, which tells the capacity.
        over: the overload.
        cores: that service and generator share.
    """
    return calm.goodput * (cores - over.busy) / (cores - calm.busy)


def _median(loads: Iterable[Load]) -> float:
    return statistics.median(load.goodput for load in loads)
