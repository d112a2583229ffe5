"""What do more cores bring on the CPU: to one engine, to one process, to several?"""

import tempfile
import threading
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import numpy as np

from app.contract.manifest import Precision
from app.engines.engine import Layout
from app.engines.onnx_engine import OnnxEngines
from app.hardware import available_cores
from tools.gpu.plan import DEFAULT, MIDDLE, Plan
from tools.gpu.steps.engine import rate
from tools.loadtools import pictures, wrk
from tools.loadtools.bodies import raw
from tools.loadtools.process import service

_BATCH = 4
_CLIENTS = 64
_SUBJECTS: tuple[tuple[str, Precision], ...] = (
    (DEFAULT, "fp32"),
    (DEFAULT, "int8"),
    (MIDDLE, "fp32"),
)


def measure(plan: Plan) -> None:
    """Writes the report."""
    cores = available_cores()
    numbers = [number for number in (1, 2, 4, 8, 16) if number <= cores]
    plan.notes.say(f"Images a second of the engine alone, batches of {_BATCH}; threads x slots.")
    plan.notes.table("model", *(f"{number} cores" for number in numbers), "best layout on all")
    for name, precision in _SUBJECTS:
        _engine(plan, name, precision, numbers)
    plan.notes.say("\nThe service on all cores, in processes that share them equally.")
    plan.notes.table("model", "processes", "images/s", "event loop of each", "failed")
    for number in numbers[:3]:
        _processes(plan, "int8", number, cores)


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


def _processes(plan: Plan, precision: Precision, number: int, cores: int) -> None:
    photos = pictures.drawn(plan.work / "photos", pictures.SMALL, compact=True)
    options = [
        "--model-repository", "models", "--model", DEFAULT, "--provider", "cpu", "--precision",
        precision, "--log-level", "error", "--access-log-share", "0", "--max-queue-size", "4096",
    ]  # fmt: skip
    share = cores // number
    runs: list[wrk.Run] = []
    with ExitStack() as stack:
        cache = stack.enter_context(tempfile.TemporaryDirectory())
        servers = [
            stack.enter_context(
                service(
                    [*options, "--cache-directory", str(Path(cache))],
                    cores=range(index * share, (index + 1) * share),
                )
            )
            for index in range(number)
        ]
        before = [server.event_loop_seconds for server in servers]
        seconds = max(1, round(plan.seconds))

        def drive(port_url: str) -> None:
            runs.append(
                wrk.run(
                    port_url,
                    raw(photos),
                    clients=_CLIENTS // number,
                    seconds=seconds,
                    ramp=1,
                    memory_mib=lambda: 0.0,
                )
            )

        threads = [threading.Thread(target=drive, args=(server.url,)) for server in servers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        loops = [
            (server.event_loop_seconds - began) / (seconds + 1)
            for server, began in zip(servers, before, strict=True)
        ]
    plan.notes.row(
        f"{DEFAULT} {precision}", number, sum(run.rate for run in runs), max(loops),
        sum(run.failed for run in runs),
    )  # fmt: skip
