"""How fast is the card alone, with copies to and from it, and how fast do the cores decode?"""

import multiprocessing
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial

import numpy as np
from numpy.typing import NDArray

from app.contract.manifest import Precision
from app.contract.preprocess import preprocess
from app.engines.engine import Slot
from app.hardware import available_cores
from tools.gpu.plan import DEFAULT, LARGE, MIDDLE, Plan
from tools.loadtools import pictures

_MAX_PIXELS = 40_000_000
_BATCHES = (1, 2, 4, 8, 16, 32, 64, 128)
_QUICK_BATCHES = (1, 8, 64, 128)
_SEED = 0
_SUBJECTS: tuple[tuple[str, Precision, bool], ...] = (
    (MIDDLE, "fp16", True),
    (MIDDLE, "fp16", False),
    (DEFAULT, "fp16", True),
    (DEFAULT, "fp16", False),
    (LARGE, "fp16", True),
    (LARGE, "fp16", False),
    (MIDDLE, "fp32", True),
    (DEFAULT, "fp32", True),
)
_QUICK_SUBJECTS = _SUBJECTS[:6]


def measure(plan: Plan) -> None:
    """Writes the report."""
    with plan.notes.attempt("decoding"):
        _decoding(plan)
    plan.notes.say("\nImages a second, copies to and from the card included.")
    plan.notes.table(
        "model", "graphs", "batch", "one slot", "ms a batch", "two slots", "stacking, ms",
        "loaded in s",
    )  # fmt: skip
    for name, precision, graphs in _QUICK_SUBJECTS if plan.quick else _SUBJECTS:
        title = f"{name} {precision} {'with' if graphs else 'without'} graphs"
        with plan.notes.attempt(title):
            _engine(
                plan, name, plan.precision_of(name) if plan.provider == "cpu" else precision, graphs
            )


def _engine(plan: Plan, name: str, precision: Precision, graphs: bool) -> None:
    batches: Sequence[int] = _QUICK_BATCHES if plan.quick else _BATCHES
    if plan.provider == "cpu":
        batches = batches[:2]
    began = time.monotonic()
    engine = plan.engine(name, precision, slots=2, largest=batches[-1], cuda_graphs=graphs)
    slots = engine.open_slots()
    loaded = time.monotonic() - began
    preprocessing = plan.version(name).manifest.preprocessing
    size = (batches[-1], preprocessing.crop_height, preprocessing.crop_width, 3)
    images = list(np.random.default_rng(_SEED).integers(0, 256, size, dtype=np.uint8))
    for batch in batches:
        one = rate(plan.seconds, _runs(slots[:1], images[:batch])) * batch
        two = rate(plan.seconds, _runs(slots, images[:batch])) * batch
        stack = rate(plan.seconds / 8, [partial(np.stack, images[:batch])])
        plan.notes.row(
            f"{name} {precision}", "yes" if graphs else "no", str(batch), one, 1000 * batch / one,
            two, 1000 / stack, loaded,
        )  # fmt: skip


def _runs(slots: Sequence[Slot], images: Sequence[NDArray[np.uint8]]) -> list[Callable[[], object]]:
    return [partial(slot.run, images, ["logits"]) for slot in slots]


def rate(seconds: float, loops: Sequence[Callable[[], object]]) -> float:
    """Calls a second, each of `loops` called again and again by a thread of its own."""
    for call in loops:
        call()
    end = time.monotonic() + seconds

    def loop(call: Callable[[], object]) -> tuple[int, float]:
        began, done = time.monotonic(), 0
        while time.monotonic() < end or not done:
            call()
            done += 1
        return done, time.monotonic() - began

    with ThreadPoolExecutor(len(loops)) as threads:
        return sum(done / took for done, took in threads.map(loop, loops))


def _decoding(plan: Plan) -> None:
    """Threads of one process decode, and processes of one thread each."""
    plan.notes.say("Photos that are decoded in a second, for SE-ResNet-50.")
    numbers = [number for number in (1, 8, 16) if number <= available_cores()]
    plan.notes.table(
        "photos", *(f"{number} threads" for number in numbers),
        *(f"{number} processes" for number in numbers),
    )  # fmt: skip
    preprocessing = plan.version(MIDDLE).manifest.preprocessing
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(numbers[-1], mp_context=context) as processes:
        for size in ((160, 120), pictures.SMALL):
            photo = pictures.encoded(size, _SEED, compact=True)
            decode = partial(preprocess, photo, preprocessing, max_pixels=_MAX_PIXELS)
            seconds = plan.seconds / 2
            threads = [rate(seconds, [decode] * number) for number in numbers]
            # Started, and their modules imported, before anything is timed.
            list(processes.map(rate, [seconds] * numbers[-1], [[decode]] * numbers[-1]))
            rates = [
                sum(processes.map(rate, [seconds] * number, [[decode]] * number))
                for number in numbers
            ]
            plan.notes.row(f"{size[0]}x{size[1]}, {len(photo) / 1000:.0f} kB", *threads, *rates)
