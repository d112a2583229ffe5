"""How fast is the service on the card, and what holds it up?"""

import tempfile
from pathlib import Path

from app.contract.manifest import Precision
from tools.gpu import card
from tools.gpu.plan import DEFAULT, LARGE, MIDDLE, Plan
from tools.loadtools import pictures, wrk
from tools.loadtools.bodies import Bodies, multipart, raw
from tools.loadtools.process import Server, service

THUMBNAIL = (160, 120)
OPTIONS = ("--max-batch-size", "64", "--max-queue-size", "20000", "--access-log-share", "0")
_CLIENTS = {1: (1, 64, 256, 512), 8: (64,), 64: (16, 64)}
_QUICK_CLIENTS = {1: (1, 64, 256), 64: (16,)}


def measure(plan: Plan) -> None:
    """Writes the report."""
    plan.notes.say(f"One process, `{' '.join(OPTIONS)}`; wrk beside it on the same cores.")
    plan.notes.table(*HEAD)
    served: list[tuple[str, Precision]] = [(MIDDLE, "fp16"), (DEFAULT, "fp16")]
    if not plan.quick:
        served.append((LARGE, "fp16"))
    for name, precision in served:
        if plan.provider == "cpu":
            precision = "fp32"
        options = plan.service_options(name, precision, *OPTIONS)
        with service(options) as server, tempfile.TemporaryDirectory() as folder:
            load(plan, f"{name} {precision}", server, Path(folder))


HEAD = (
    "model", "photos", "images a request", "clients", "images/s", "p50 ms", "p99 ms",
    "failed", "event loop", "cores of the service", "of wrk", "card %",
)  # fmt: skip


def load(plan: Plan, title: str, server: Server, folder: Path) -> None:
    """Adds a row for each kind of load."""
    for size in (THUMBNAIL, pictures.SMALL):
        photos = pictures.drawn(plan.work / "photos", size, compact=True)
        for images, numbers in (_QUICK_CLIENTS if plan.quick else _CLIENTS).items():
            bodies = raw(photos) if images == 1 else multipart(photos, images, folder)
            for clients in numbers:
                _row(plan, title, server, bodies, clients, f"{size[0]}x{size[1]}")


def _row(plan: Plan, title: str, server: Server, bodies: Bodies, clients: int, photos: str) -> None:
    url = server.url if bodies.images == 1 else server.form_url
    seconds, ramp = max(1, round(plan.seconds)), 1
    loop, processor = server.event_loop_seconds, server.processor_seconds
    with card.watched() as seen:
        run = wrk.run(
            url, bodies, clients=clients, seconds=seconds, ramp=ramp,
            memory_mib=lambda: server.resident_mib,
        )  # fmt: skip
    # The ramp counts on both sides.
    took = seconds + ramp
    plan.notes.row(
        title, photos, bodies.images, clients, run.rate * bodies.images, run.p50_ms, run.p99_ms,
        run.failed, (server.event_loop_seconds - loop) / took,
        (server.processor_seconds - processor) / took, run.busy, seen.mean,
    )  # fmt: skip
