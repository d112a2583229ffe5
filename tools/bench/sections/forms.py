"""Raw and multipart bodies, one and many images a request, usual and large photos, outputs."""

from collections.abc import Callable
from functools import partial

from app.hardware import available_cores
from tools.bench.lineup import SAME, SHIPPED, Lineup
from tools.bench.peers import PLAIN
from tools.bench.plan import Session
from tools.bench.report import Cell, Table
from tools.bench.rounds import interleave, median_ratio
from tools.bench.sections import outputs
from tools.loadtools import pictures
from tools.loadtools.bodies import Bodies, multipart, raw
from tools.loadtools.process import Server

# Half of what the service holds by default, so that nothing is refused.
_IMAGES_UNDER_WAY = 128
_BARE = "bare loop"
_CONTENDERS = (SHIPPED, SAME, PLAIN)


def measure(session: Session, lineup: Lineup) -> None:
    """Adds the tables of one model."""
    _forms(session, lineup)
    _sizes(session, lineup)
    outputs.measure(session, lineup)


def _forms(session: Session, lineup: Lineup) -> None:
    usual, folder = session.photos.usual, session.photos.folder
    rows: list[tuple[Cell, ...]] = []
    for name, bodies in (
        ("raw body", raw(usual)),
        ("multipart, 1 image", multipart(usual, 1, folder)),
        ("multipart, 8 images", multipart(usual, 8, folder)),
        ("multipart, 64 images", multipart(usual, 64, folder)),
    ):
        clients = max(1, min(session.clients, _IMAGES_UNDER_WAY // bodies.images))
        measures = _servers(session, lineup, bodies, clients)
        rates = interleave(measures, session.plan.rounds)
        medians = session.record_each(f"{lineup.subject.name}/{name}", rates)
        rows.append((name, str(clients), *medians.values()))
    session.report.tables.append(
        Table(
            f"{lineup.subject.name}: images a second by request form",
            f"Median of {session.plan.rounds} rounds of {session.plan.short:g} s; fewer"
            " clients where a request holds many images.",
            ("request", "clients", *_CONTENDERS),
            rows,
        )
    )


def _sizes(session: Session, lineup: Lineup) -> None:
    subject, plan = lineup.subject, session.plan
    rows: list[tuple[Cell, ...]] = []
    for photos in (session.photos.usual, session.photos.large):
        with subject.bare(photos, available_cores()) as bare:

            def loop() -> float:
                done = bare.run(plan.short)
                return done.images / done.seconds

            measures = {_BARE: loop} | _servers(session, lineup, raw(photos), session.clients)
            rates = interleave(measures, plan.rounds)
        what = pictures.describe(photos)
        medians = session.record_each(f"{subject.name}/{what}", rates)
        row: list[Cell] = [what, medians[_BARE]]
        for name in _CONTENDERS:
            row += [medians[name], median_ratio(rates[name], rates[_BARE])]
        rows.append(tuple(row))
    session.report.tables.append(
        Table(
            f"{subject.name}: images a second by size of the photo",
            f"Raw bodies, {session.clients} clients, the bare loop in {subject.precision}.",
            ("photos", _BARE, *(head for name in _CONTENDERS for head in (name, "ratio"))),
            rows,
        )
    )


def _servers(
    session: Session, lineup: Lineup, bodies: Bodies, clients: int
) -> dict[str, Callable[[], float]]:
    def serve(server: Server) -> float:
        is_form = bodies.content_type.startswith("multipart/")
        # Requests of many images end in bursts, which a short run would cut at random.
        seconds = session.plan.short if bodies.images == 1 else session.plan.closed
        run = session.closed(
            server.form_url if is_form else server.url, server, bodies,
            clients=clients, seconds=seconds,
        )  # fmt: skip
        return run.rate * bodies.images

    return {
        name: partial(serve, server)
        for name in _CONTENDERS
        if isinstance(server := lineup.servers[name], Server)
    }
