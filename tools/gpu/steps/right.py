"""Does the card compute what PyTorch computes, whatever the batch, the slot and the outputs?"""

import itertools
import time
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import nn

from app.contract.manifest import Precision, Preprocessing
from app.engines.engine import Slot
from senet import checkpoint
from senet.export.graph import ServedGraph, torch_runner
from senet.export.runtime import Run
from senet.heads import Heads
from senet.networks import build
from tools.gpu.models import repeating_network
from tools.gpu.plan import DEFAULT, LARGE, MIDDLE, Plan

_IMAGES = 64
_QUICK_SIZES = (1, 2, 3, 5, 8, 13, 16)
_SUBSET_BATCH = 5
_ROUNDS = 20
_SEED = 0
Outputs = Mapping[str, NDArray[np.float32]]


def measure(plan: Plan) -> None:
    """Writes the report."""
    sizes: Sequence[int] = _QUICK_SIZES if plan.quick else range(1, _IMAGES + 1)
    if plan.provider == "cpu":
        sizes = sizes[:2]
    plan.notes.say(
        "Differences from PyTorch in fp32 on the processor, as a share of the largest value; noise,"
        f" in batches of {', '.join(map(str, sizes))}."
    )
    plan.notes.table(
        "model", "graphs", "logits: worst", "embedding", "cam", "same class",
        "subsets of outputs", "two slots at once", "loaded in s",
    )  # fmt: skip
    # In a hurry the one of trained weights, and the one with the most layers to go wrong in.
    for name in (LARGE, DEFAULT) if plan.quick else (LARGE, MIDDLE, DEFAULT):
        with plan.notes.attempt(f"the reference of {name}"):
            images = _noise(plan.version(name).manifest.preprocessing, max(sizes))
            expected = reference(plan, name)(images)
            for precision, graphs in itertools.product(
                _precisions(plan, name), (True,) if plan.quick else (True, False)
            ):
                with plan.notes.attempt(f"{name} {precision}"):
                    _compare(plan, name, precision, graphs, list(images), expected, sizes)


def reference(plan: Plan, name: str) -> Run:
    """What PyTorch computes of the network that the model was exported from."""
    version = plan.version(name)
    preprocessing = version.manifest.preprocessing
    if name == DEFAULT:
        trained = checkpoint.load(Path("models") / name / "checkpoint.pt")
        network: nn.Module = build(trained.architecture, len(trained.labels))
        network.load_state_dict(trained.weights)
    else:
        network = repeating_network(name)
    heads = Heads(network.eval(), preprocessing.crop_height, preprocessing.crop_width)
    return torch_runner(ServedGraph(heads, preprocessing).eval())


def _precisions(plan: Plan, name: str) -> Sequence[Precision]:
    """Those that the model has, and a GPU runs; one of them tells enough in a hurry."""
    if plan.quick or plan.provider == "cpu":
        return [plan.precision_of(name)]
    there = [variant.precision for variant in plan.version(name).manifest.variants]
    return [precision for precision in there if precision != "int8"]


def _noise(preprocessing: Preprocessing, images: int) -> NDArray[np.uint8]:
    size = (images, preprocessing.crop_height, preprocessing.crop_width, 3)
    return np.random.default_rng(_SEED).integers(0, 256, size, dtype=np.uint8)


def _compare(
    plan: Plan,
    name: str,
    precision: Precision,
    graphs: bool,
    images: Sequence[NDArray[np.uint8]],
    expected: Outputs,
    sizes: Sequence[int],
) -> None:
    began = time.monotonic()
    engine = plan.engine(name, precision, slots=2, largest=len(images), cuda_graphs=graphs)
    loaded = time.monotonic() - began
    first, second, *_ = engine.open_slots()
    names = list(expected)
    worst = dict.fromkeys(names, 0.0)
    same = total = 0
    for size in sizes:
        start = (7 * size) % (len(images) - size + 1)
        found = first.run(images[start : start + size], names)
        for output in names:
            part = expected[output][start : start + size]
            worst[output] = max(worst[output], _difference(found[output], part))
        same += int(
            (found["logits"].argmax(1) == expected["logits"][start:][:size].argmax(1)).sum()
        )
        total += size
    plan.notes.row(
        f"{name} {precision}", "yes" if graphs else "no",
        *(f"{worst[output]:.1e}" for output in ("logits", "embedding", "cam")),
        f"{same} of {total}", _subsets(first, images, names),
        _together((first, second), images, names), loaded,
    )  # fmt: skip


def _difference(found: NDArray[np.float32], expected: NDArray[np.float32]) -> float:
    """The largest difference, as a share of the largest value; NaN counts as endless."""
    share = float(np.abs(found - expected).max() / np.abs(expected).max())
    return share if share == share else float("inf")


def _subsets(slot: Slot, images: Sequence[NDArray[np.uint8]], names: Sequence[str]) -> str:
    whole = slot.run(images[:_SUBSET_BATCH], names)
    wrong = 0
    for count in range(1, len(names) + 1):
        for subset in itertools.combinations(names, count):
            found = slot.run(images[:_SUBSET_BATCH], subset)
            wrong += set(found) != set(subset)
            wrong += any(not np.array_equal(found[name], whole[name]) for name in subset)
    return "equal" if not wrong else f"{wrong} differ"


def _together(
    slots: Sequence[Slot], images: Sequence[NDArray[np.uint8]], names: Collection[str]
) -> str:
    """Batches in both slots at once give what each gives alone."""
    draw = np.random.default_rng(_SEED)
    cuts = [sorted(draw.integers(0, len(images) + 1, 2)) for _ in range(_ROUNDS)]
    parts = [images[low:high] or images[:1] for low, high in cuts]
    alone = [[slot.run(part, names) for part in parts] for slot in slots]

    def loop(slot: Slot) -> list[Outputs]:
        return [slot.run(part, names) for part in parts]

    with ThreadPoolExecutor(len(slots)) as threads:
        beside = list(threads.map(loop, slots))
    worst = max(
        _difference(found[name], wanted[name])
        for one, other in zip(beside, alone, strict=True)
        for found, wanted in zip(one, other, strict=True)
        for name in names
    )
    return f"within {worst:.1e}"
