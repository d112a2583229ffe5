"""Do several processes of the service on one card answer more than one, and at which price?"""

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.gpu import card, open_loop, several
from tools.gpu.plan import MIDDLE, Plan
from tools.gpu.steps.http import OPTIONS, THUMBNAIL
from tools.loadtools import pictures
from tools.loadtools.bodies import Bodies, multipart, raw
from tools.loadtools.process import Server, service

_IMAGES = 64
_OPEN_LOOP_WINDOWS = 3


@dataclass(frozen=True, slots=True)
class _Setup:
    """How the card is shared.

    Attributes:
        processes: of the service.
        largest: batch of each.
        decoders: of each; 0 for an equal share of the cores.
        opens: whether the open loop is measured too, and the lone latency with it.
    """

    processes: int
    largest: int = 64
    decoders: int = 0
    opens: bool = False


_ALL = (
    _Setup(4, opens=True),
    _Setup(8, decoders=3),
    _Setup(8, largest=32, opens=True),
    _Setup(2, opens=True),
    _Setup(4, decoders=6),
    _Setup(4, largest=32),
    _Setup(1, opens=True),
)
# In order of value: the last ones may be cut off.
_QUICK = (_Setup(4, opens=True), _Setup(8, opens=True), _Setup(2), _Setup(1))
# Of each process, by images a request.
_CLIENTS = {_IMAGES: 8, 1: 128}


def measure(plan: Plan) -> None:
    """Writes the report."""
    plan.version(MIDDLE)  # else every one of the processes below would say that it is not there
    plan.notes.say(
        f"SE-ResNet-50 {plan.precision}, photos of 160x120; `{' '.join(OPTIONS)}` and what the row"
        f" says; {_CLIENTS[_IMAGES]} clients of each process at {_IMAGES} images a request,"
        f" {_CLIENTS[1]} at one. Rows of {open_loop.SHARE:.0%} are an open loop of"
        f" {_OPEN_LOOP_WINDOWS * plan.seconds:g} s at that share of the rate in the row above."
    )
    plan.notes.table(
        "processes", "largest batch", "decoders of each", "ready after s", "images a request",
        "clients", "images/s", "p50 ms", "p99 ms", "failed", "event loop", "cores", "of wrk",
        "card %", "card MiB",
    )  # fmt: skip
    for setup in _QUICK if plan.quick else _ALL:
        with plan.notes.attempt(f"{setup.processes} processes"):
            _measure(plan, setup)


def _measure(plan: Plan, setup: _Setup) -> None:
    decoders = setup.decoders or max(1, (os.cpu_count() or 1) // setup.processes)
    options = plan.service_options(
        MIDDLE, plan.precision, *OPTIONS, "--max-batch-size", str(setup.largest),
        "--decode-threads", str(decoders), "--decode-by", "processes",
    )  # fmt: skip
    photos = pictures.drawn(plan.work / "photos", THUMBNAIL, compact=True)
    servers = [service(options) for _ in range(setup.processes)]
    with tempfile.TemporaryDirectory() as folder, several.started(servers):
        ready = max(server.ready_seconds for server in servers)
        title = (str(setup.processes), str(setup.largest), str(decoders), ready)
        for bodies in (multipart(photos, _IMAGES, Path(folder)), raw(photos)):
            with plan.notes.attempt(f"{setup.processes} processes, {bodies.images} a request"):
                _load(plan, setup, servers, bodies, title)


def _load(
    plan: Plan,
    setup: _Setup,
    servers: Sequence[Server],
    bodies: Bodies,
    title: tuple[str | float, ...],
) -> None:
    def closed(clients: int, loaded: Sequence[Server]) -> float:
        seconds = max(1, round(plan.seconds))
        with card.watched() as seen:
            found = several.drive(loaded, bodies, clients=clients, seconds=seconds)
        plan.notes.row(
            *title, str(bodies.images), str(clients * len(loaded)), found.rate, found.p50_ms,
            found.p99_ms, str(found.failed), found.event_loop, found.cores, found.generators,
            seen.mean, card.memory_mib(),
        )  # fmt: skip
        return found.rate / bodies.images

    if setup.opens:
        closed(1, servers[:1])
    capacity = closed(_CLIENTS[bodies.images], servers)
    if setup.opens:
        seconds = _OPEN_LOOP_WINDOWS * plan.seconds
        with card.watched() as seen:
            answers = open_loop.offer(servers, bodies, open_loop.SHARE * capacity, seconds)
        plan.notes.row(
            *title, str(bodies.images), f"{open_loop.SHARE:.0%}", answers.rate * bodies.images,
            answers.p50_ms, answers.p99_ms, str(answers.failed), None, None, answers.busy,
            seen.mean, card.memory_mib(),
        )  # fmt: skip
