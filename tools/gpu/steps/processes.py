"""Do several processes of the service on one card answer more than one, and at which price?"""

import os
import tempfile
import threading
from contextlib import ExitStack
from pathlib import Path

from tools.gpu import card
from tools.gpu.plan import MIDDLE, Plan
from tools.gpu.steps.http import OPTIONS, THUMBNAIL
from tools.loadtools import pictures, wrk
from tools.loadtools.bodies import Bodies, multipart, raw
from tools.loadtools.process import service

_IMAGES, _CLIENTS, _SINGLE_CLIENTS = 64, 16, 256


def measure(plan: Plan) -> None:
    """Writes the report."""
    plan.notes.say(f"SE-ResNet-50, photos of 160x120; `{' '.join(OPTIONS)}`.")
    plan.notes.table(
        "processes", "decoders of each", f"images/s, {_IMAGES} a request", "p99 ms",
        "images/s, one a request", "p99 ms", "failed", "card MiB",
    )  # fmt: skip
    for number in (1, 2, 4):
        _measure(plan, number)


def _measure(plan: Plan, number: int) -> None:
    decoders = max(1, (os.cpu_count() or 1) // number)
    options = plan.service_options(
        MIDDLE,
        plan.precision,
        *OPTIONS,
        "--decode-threads",
        str(decoders),
        "--decode-by",
        "processes",
    )
    photos = pictures.drawn(plan.work / "photos", THUMBNAIL, compact=True)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        servers = [stack.enter_context(service(options)) for _ in range(number)]
        form = multipart(photos, _IMAGES, folder)
        many = _drive(plan, [server.form_url for server in servers], form, _CLIENTS)
        single = _drive(plan, [server.url for server in servers], raw(photos), _SINGLE_CLIENTS)
        plan.notes.row(
            number, decoders, sum(run.rate for run in many) * _IMAGES,
            max(run.p99_ms for run in many), sum(run.rate for run in single),
            max(run.p99_ms for run in single), sum(run.failed for run in (*many, *single)),
            card.memory_mib(),
        )  # fmt: skip


def _drive(plan: Plan, urls: list[str], bodies: Bodies, clients: int) -> list[wrk.Run]:
    """Loads all of them at once, each with its share of the clients."""
    runs: list[wrk.Run] = []

    def drive(url: str) -> None:
        share = max(1, clients // len(urls))
        seconds = max(1, round(plan.seconds))
        runs.append(
            wrk.run(url, bodies, clients=share, seconds=seconds, ramp=1, memory_mib=lambda: 0.0)
        )

    threads = [threading.Thread(target=drive, args=(url,)) for url in urls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return runs
