"""What HTTP, decoding, batching and serialisation allow: the service with a null engine."""

from tools.bench.goals import PHOTOS
from tools.bench.plan import Session
from tools.bench.report import Cell, Table
from tools.bench.subject import Subject
from tools.loadtools.bodies import Bodies, multipart, raw
from tools.loadtools.pictures import SMALL, TINY
from tools.loadtools.process import Server

_MANY, _CLIENTS_OF_MANY = 64, 2


def measure(session: Session, subject: Subject) -> None:
    """Adds the table."""
    photos = session.photos
    width, height = SMALL
    with subject.service(
        "--precision", subject.precision, module="tools.bench.null_engine"
    ) as server:
        rows = [
            _row(session, server, PHOTOS, raw(photos.of(SMALL))),
            _row(session, server, f"{TINY[0]}x{TINY[1]}, raw body", raw(photos.of(TINY))),
            _row(
                session, server, f"{width}x{height}, {_MANY} in multipart",
                multipart(photos.of(SMALL), _MANY, photos.folder),
            ),
        ]  # fmt: skip
    session.report.tables.append(
        Table(
            "HTTP and decoding alone: the service with an engine that answers at once",
            f"{session.clients} clients ({_CLIENTS_OF_MANY} with many images a request), median of"
            f" {session.plan.rounds} rounds; the input is that of {subject.model}. Processor time"
            " is the service's alone. All that cannot be spread over cores runs on the event loop.",
            (
                "photos", "images/s", "processor ms an image", "images/s a core",
                "of it on the event loop, ms", "images/s an event loop", "wrk's cores",
            ),
            rows,
        )
    )  # fmt: skip


def _row(session: Session, server: Server, name: str, bodies: Bodies) -> tuple[Cell, ...]:
    plan = session.plan
    one = bodies.images == 1
    url = server.url if one else server.form_url
    clients = session.clients if one else _CLIENTS_OF_MANY
    rates, costs, loops, busy = [], [], [], 0.0
    session.closed(url, server, bodies, clients=clients, seconds=plan.warm)
    for _ in range(plan.rounds):
        used, looped = server.processor_seconds, server.event_loop_seconds
        run = session.closed(
            url, server, bodies, clients=clients, seconds=plan.short if one else plan.closed
        )
        images = max(1, run.requests * bodies.images)
        rates.append(run.rate * bodies.images)
        costs.append(1000 * (server.processor_seconds - used) / images)
        loops.append(1000 * (server.event_loop_seconds - looped) / images)
        busy = max(busy, run.busy)
    rate = session.record(f"null_engine/{name}/images_per_second", rates)
    cost = session.record(f"null_engine/{name}/processor_ms", costs)
    loop = session.record(f"null_engine/{name}/event_loop_ms", loops)
    return name, rate, cost, _per_second(cost), loop, _per_second(loop), busy


def _per_second(milliseconds: float) -> float | None:
    """How many fit into a second; None if too few were measured to tell."""
    return 1000 / milliseconds if milliseconds else None
