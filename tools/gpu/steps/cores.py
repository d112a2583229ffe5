"""What do more cores bring on the CPU: to one engine, to one process, to several?"""

import tempfile
from functools import partial

import numpy as np

from app.contract.manifest import Precision
from app.engines.engine import Layout
from app.engines.onnx_engine import OnnxEngines
from app.hardware import available_cores
from tools.gpu import several
from tools.gpu.plan import DEFAULT, MIDDLE, Plan
from tools.gpu.steps.engine import rate
from tools.loadtools import pictures
from tools.loadtools.bodies import raw
from tools.loadtools.process import service

_BATCH = 4
_CLIENTS = 256
_PRECISION: Precision = "int8"
_SUBJECTS: tuple[tuple[str, Precision], ...] = (
    (DEFAULT, "fp32"),
    (DEFAULT, "int8"),
    (MIDDLE, "fp32"),
)


def measure(plan: Plan) -> None:
    """Writes the report."""
    cores = available_cores()
    numbers = [number for number in (1, 2, 4, 8, 16) if number <= cores]
    plan.notes.say(
        "The service on the processor, on all cores, in processes that share them equally; photos"
        " of 500x375, one a request; wrk beside it on the same cores."
    )
    plan.notes.table(
        "model", "processes", "cores of each", "ready after s", "clients", "images/s", "p50 ms",
        "p99 ms", "failed", "event loop", "cores", "of wrk",
    )  # fmt: skip
    for number in numbers[:4]:
        with plan.notes.attempt(f"{number} processes"):
            _processes(plan, number, cores // number)
    if plan.quick:
        return
    plan.notes.say(f"\nImages a second of the engine alone, batches of {_BATCH}; threads x slots.")
    plan.notes.table("model", *(f"{number} cores" for number in numbers), "best layout on all")
    for name, precision in _SUBJECTS:
        with plan.notes.attempt(f"{name} {precision}"):
            _engine(plan, name, precision, numbers)


def _engine(plan: Plan, name: str, precision: Precision, numbers: list[int]) -> None:
    version = plan.version(name)
    (variant,) = (each for each in version.manifest.variants if each.precision == precision)
    preprocessing = version.manifest.preprocessing
    size = (_BATCH, preprocessing.crop_height, preprocessing.crop_width, 3)
    images = list(np.random.default_rng(0).integers(0, 256, size, dtype=np.uint8))

    def measured(threads: int, slots: int) -> float:
        engine = OnnxEngines("cpu").load(
            version.folder / variant.file, "cpu", Layout(threads, slots), version.manifest.signature
        )
        runs = [partial(slot.run, images, ["logits"]) for slot in engine.open_slots()]
        return rate(plan.seconds, runs) * _BATCH

    rates = [measured(1, number) for number in numbers]
    layouts = [
        (measured(threads, numbers[-1] // threads), f"{threads}x{numbers[-1] // threads}")
        for threads in numbers
    ]
    best, layout = max(layouts)
    plan.notes.row(f"{name} {precision}", *rates, f"{layout}: {best:,.0f}/s")


def _processes(plan: Plan, number: int, share: int) -> None:
    photos = pictures.drawn(plan.work / "photos", pictures.SMALL, compact=True)
    with tempfile.TemporaryDirectory() as cache:
        options = [
            "--model-repository", "models", "--model", DEFAULT, "--provider", "cpu",
            "--precision", _PRECISION, "--log-level", "error", "--access-log-share", "0",
            "--max-queue-size", "4096", "--cache-directory", cache,
        ]  # fmt: skip
        servers = [
            service(options, cores=range(index * share, (index + 1) * share))
            for index in range(number)
        ]
        # What the first one measures at its start, undisturbed, the others take from the cache.
        with several.started(servers[:1]), several.started(servers[1:]):
            seconds = max(1, round(plan.seconds))
            clients = _CLIENTS // number
            found = several.drive(servers, raw(photos), clients=clients, seconds=seconds)
            plan.notes.row(
                f"{DEFAULT} {_PRECISION}", str(number), str(share),
                max(server.ready_seconds for server in servers), str(clients * number),
                found.rate, found.p50_ms, found.p99_ms, str(found.failed), found.event_loop,
                found.cores, found.generators,
            )  # fmt: skip
