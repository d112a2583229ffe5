"""What further outputs cost: classes alone beside maps and gates."""

from functools import partial

from app.contract.signature import INCLUDED
from tools.bench.lineup import SHIPPED, Lineup
from tools.bench.plan import Session
from tools.bench.report import Cell, Table
from tools.bench.rounds import interleave, median_ratio
from tools.loadtools.bodies import raw
from tools.loadtools.process import Server

_ALONE = "classes alone"


def measure(session: Session, lineup: Lineup) -> None:
    """Adds the table of one model, if its service is there."""
    server = lineup.servers[SHIPPED]
    if not isinstance(server, Server):
        return
    signature = lineup.subject.version.manifest.signature
    asked = [name for name, meaning in INCLUDED.items() if signature.find(meaning)]
    queries = {_ALONE: ""} | {f"include={name}": f"?include={name}" for name in asked}
    if len(asked) > 1:
        queries["all of them"] = f"?include={','.join(asked)}"
    bodies, plan = raw(session.photos.usual), session.plan

    def rate(query: str, clients: int) -> float:
        seconds = plan.lone if clients == 1 else plan.short
        url = f"{server.url}{query}"
        return session.closed(url, server, bodies, clients=clients, seconds=seconds).rate

    rows: list[list[Cell]] = [[name] for name in queries]
    for clients in (session.clients, 1):
        measures = {name: partial(rate, query, clients) for name, query in queries.items()}
        rates = interleave(measures, plan.rounds)
        medians = session.record_each(f"{lineup.subject.name}/{clients} clients", rates)
        for row, name in zip(rows, queries, strict=True):
            row += [medians[name], median_ratio(rates[name], rates[_ALONE])]
    session.report.tables.append(
        Table(
            f"{lineup.subject.name}: images a second by what is asked for",
            f"Raw bodies; median of {plan.rounds} rounds of {plan.short:g} s.",
            ("request", f"{session.clients} clients", "ratio", "1 client", "ratio"),
            [tuple(row) for row in rows],
        )
    )
