"""How fast is the service on the card, how soon does it answer, and what holds it up?"""

import asyncio
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.gpu import card, open_loop, several
from tools.gpu.plan import DEFAULT, LARGE, MIDDLE, Plan
from tools.loadtools import operations, pictures
from tools.loadtools.bodies import Bodies, multipart, raw
from tools.loadtools.process import Server, service

THUMBNAIL = (160, 120)
OPTIONS = ("--max-batch-size", "64", "--max-queue-size", "20000", "--access-log-share", "0")
_OPEN_LOOP_WINDOWS = 3


@dataclass(frozen=True, slots=True)
class Series:
    """Closed loops of growing numbers of clients, and then the open loop.

    Attributes:
        size: of the photos.
        images: in a request.
        clients: numbers of them, in turn; one alone tells the lone latency.
        open_loop: whether requests then arrive at random, at a share of the greatest rate seen.
    """

    size: tuple[int, int]
    images: int
    clients: tuple[int, ...]
    open_loop: bool = False


_ALL = tuple(
    Series(size, images, clients, open_loop=True)
    for size in (THUMBNAIL, pictures.SMALL)
    for images, clients in ((1, (1, 64, 256, 512)), (8, (1, 64)), (64, (1, 16, 64)))
)
_QUICK: dict[str, tuple[Series, ...]] = {
    MIDDLE: (
        Series(THUMBNAIL, 64, (1, 16), open_loop=True),
        Series(THUMBNAIL, 1, (1, 64, 256, 512), open_loop=True),
        Series(pictures.SMALL, 1, (1, 256, 512), open_loop=True),
        Series(pictures.SMALL, 64, (16,)),
    ),
    LARGE: (Series(pictures.SMALL, 1, (1, 256), open_loop=True),),
    DEFAULT: (
        Series(THUMBNAIL, 64, (16,)),
        Series(THUMBNAIL, 1, (1, 512), open_loop=True),
        Series(pictures.SMALL, 1, (256,)),
    ),
}
HEAD = (
    "model", "photos", "images a request", "clients", "images/s", "p50 ms", "p99 ms",
    "failed", "event loop", "cores of the service", "of the generator", "card %",
)  # fmt: skip


def measure(plan: Plan) -> None:
    """Writes the report."""
    plan.notes.say(
        f"One process, `{' '.join(OPTIONS)}`; wrk beside it on the same cores. Rows of"
        f" {open_loop.SHARE:.0%} are an open loop of {_OPEN_LOOP_WINDOWS * plan.seconds:g} s at"
        " that share of the greatest rate above, whose generator runs in Python."
    )
    for name, series in _QUICK.items():
        with plan.notes.attempt(name):
            _serve(plan, name, series if plan.quick else _ALL)


def _serve(plan: Plan, name: str, series: Sequence[Series]) -> None:
    precision = plan.precision_of(name)
    before = card.memory_mib()
    options = plan.service_options(name, precision, *OPTIONS)
    with service(options) as server, tempfile.TemporaryDirectory() as folder:
        plan.notes.say(
            f"\n{name} {precision}: ready after {server.ready_seconds:.1f} s, resident"
            f" {server.resident_mib:,.0f} MiB, card {card.memory_mib() - before:,.0f} MiB"
        )
        load(plan, f"{name} {precision}", server, Path(folder), series)
        told = asyncio.run(operations.metrics(server.port))
        found = {name: value for (name, _), value in told.items() if name.startswith("senet_gpu")}
        plan.notes.say(f"\nThe service's own metrics at the end: {found or 'none of the card'}")


def load(plan: Plan, title: str, server: Server, folder: Path, chosen: Sequence[Series]) -> None:
    """Adds a table, of a row for each load."""
    plan.notes.table(*HEAD)
    for series in chosen:
        photos = pictures.drawn(plan.work / "photos", series.size, compact=True)
        images = series.images
        bodies = raw(photos) if images == 1 else multipart(photos, images, folder)
        size = f"{series.size[0]}x{series.size[1]}"
        with plan.notes.attempt(f"{title}, {size}, {images} a request"):
            rates = [_closed(plan, title, server, bodies, each, size) for each in series.clients]
            if series.open_loop:
                _open(plan, title, server, bodies, max(rates) / images, size)


def _closed(
    plan: Plan, title: str, server: Server, bodies: Bodies, clients: int, size: str
) -> float:
    seconds = max(1, round(plan.seconds))
    with card.watched() as seen:
        found = several.drive([server], bodies, clients=clients, seconds=seconds)
    plan.notes.row(
        title, size, str(bodies.images), str(clients), found.rate, found.p50_ms, found.p99_ms,
        str(found.failed), found.event_loop, found.cores, found.generators, seen.mean,
    )  # fmt: skip
    return found.rate


def _open(
    plan: Plan, title: str, server: Server, bodies: Bodies, capacity: float, size: str
) -> None:
    seconds = _OPEN_LOOP_WINDOWS * plan.seconds
    loop, processor = server.event_loop_seconds, server.processor_seconds
    with card.watched() as seen:
        found = open_loop.offer([server], bodies, open_loop.SHARE * capacity, seconds)
    plan.notes.row(
        title, size, str(bodies.images), f"{open_loop.SHARE:.0%}", found.rate * bodies.images,
        found.p50_ms, found.p99_ms, str(found.failed),
        (server.event_loop_seconds - loop) / seconds,
        (server.processor_seconds - processor) / seconds, found.busy, seen.mean,
    )  # fmt: skip
