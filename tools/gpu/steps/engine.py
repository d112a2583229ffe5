"""How fast is the card alone, with copies to and from it, and how fast do the cores decode?"""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
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
_SEED = 0


def measure(plan: Plan) -> None:
    """Writes the report."""
    _decoding(plan)
    plan.notes.say("\nImages a second, copies to and from the card included.")
    plan.notes.table(
        "model", "graphs", "batch", "one slot", "ms a batch", "two slots", "stacking, ms"
    )  # fmt: skip
    subjects: list[tuple[str, Precision, bool]] = [
        (MIDDLE, "fp16", True),
        (DEFAULT, "fp16", True),
    ]
    if not plan.quick:
        subjects += [
            (MIDDLE, "fp16", False),
            (MIDDLE, "fp32", True),
            (DEFAULT, "fp32", True),
            (LARGE, "fp16", True),
        ]
    for name, precision, graphs in subjects:
        if plan.provider == "cpu":
            precision = "fp32"
        _engine(plan, name, precision, graphs)


def _engine(plan: Plan, name: str, precision: Precision, graphs: bool) -> None:
    batches = _BATCHES if plan.provider == "cuda" else _BATCHES[:3]
    engine = plan.engine(name, precision, slots=2, largest=batches[-1], cuda_graphs=graphs)
    slots = engine.open_slots()
    preprocessing = plan.version(name).manifest.preprocessing
    size = (batches[-1], preprocessing.crop_height, preprocessing.crop_width, 3)
    images = list(np.random.default_rng(_SEED).integers(0, 256, size, dtype=np.uint8))
    for batch in batches:
        one = rate(plan.seconds, _runs(slots[:1], images[:batch])) * batch
        two = rate(plan.seconds, _runs(slots, images[:batch])) * batch
        stack = rate(plan.seconds / 4, [partial(np.stack, images[:batch])])
        plan.notes.row(
            f"{name} {precision}", "yes" if graphs else "no", batch, one, 1000 * batch / one, two,
            1000 / stack,
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
    """Threads decode, as in the service."""
    plan.notes.say("Photos that threads of one process decode in a second, for SE-ResNet-50.")
    threads = [number for number in (1, 2, 4, 8, 12, 16) if number <= available_cores()]
    plan.notes.table("photos", *(f"{number} threads" for number in threads))
    preprocessing = plan.version(MIDDLE).manifest.preprocessing
    for size in ((160, 120), pictures.SMALL):
        photo = pictures.encoded(size, _SEED, compact=True)

        decode = partial(preprocess, photo, preprocessing, max_pixels=_MAX_PIXELS)

        rates = [rate(plan.seconds / 2, [decode] * number) for number in threads]
        plan.notes.row(f"{size[0]}x{size[1]}, {len(photo) / 1000:.0f} kB", *rates)
