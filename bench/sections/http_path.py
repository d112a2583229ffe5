"""What HTTP, decoding, batching and serialisation allow: the service with a null engine."""

from bench.bodies import raw
from bench.contenders import Subject
from bench.pictures import SMALL, TINY, describe
from bench.plan import Session
from bench.report import Table


def measure(session: Session, subject: Subject) -> None:
    """Adds the table."""
    rows = []
    with subject.service("--precision", subject.precision, module="bench.null_engine") as server:
        for size in (SMALL, TINY):
            bodies = raw(session.photos.of(size))
            rates, costs, busy = [], [], 0.0
            session.closed(
                server.url, server, bodies, clients=session.clients, seconds=session.plan.warm
            )
            for _ in range(session.plan.rounds):
                used = server.processor_seconds
                run = session.closed(
                    server.url, server, bodies, clients=session.clients,
                    seconds=session.plan.short,
                )  # fmt: skip
                rates.append(run.rate)
                costs.append(1000 * (server.processor_seconds - used) / max(1, run.requests))
                busy = max(busy, run.busy)
            name = f"null_engine/{size[0]}x{size[1]}"
            rate = session.record(f"{name}/requests_per_second", rates)
            cost = session.record(f"{name}/processor_ms", costs)
            rows.append((describe(bodies.files), rate, cost, 1000 / cost, busy))
    session.report.tables.append(
        Table(
            "HTTP and decoding alone: the service with an engine that answers at once",
            f"{session.clients} clients, raw bodies, median of {session.plan.rounds} rounds."
            f" The input is that of {subject.name}. Processor time is the service's, whatever"
            " wrk took beside it.",
            (
                "photos", "requests/s", "processor ms a request", "requests/s a core",
                "wrk's cores",
            ),
            rows,
        )
    )  # fmt: skip
