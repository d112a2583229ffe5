"""What excitation does in a served graph: gates over photos, and accuracy without them."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto
from pydantic import BaseModel, ConfigDict

from app.contract.manifest import Label, Preprocessing
from senet.export import gates
from senet.export.measure import Logits, logits_of
from senet.export.photos import Photos, read
from senet.export.runtime import LOGITS, onnx_runner
from senet.gates.block import BlockGates

_BATCH = 32


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class ClassGates(_Part):
    """A block's gates over the photos of one class."""

    mean: float
    spread: float


class GateFigures(_Part):
    """The gates of one block over all photos."""

    block: str
    channels: int
    mean: float
    spread: float
    """Standard deviation over the photos, averaged over the channels."""
    constant: bool
    """Whether the gates hardly depend on the photo."""
    classes: dict[str, ClassGates]
    """By class id; empty if the photos have no classes."""


class Excitation(_Part):
    """The gates of a network, and what it is without them."""

    photos: int
    blocks: tuple[GateFigures, ...]
    top1: float | None
    """None if the photos have no classes."""
    top1_frozen: float | None
    """With every gate frozen to its mean over the photos, channel by channel."""
    agreement_frozen: float
    """Share of photos that have the same top-1 class with frozen gates."""


def observe(
    model: ModelProto, photos: Photos, preprocessing: Preprocessing, *, progress: bool = False
) -> tuple[list[BlockGates], Logits]:
    """Runs an fp32 graph and keeps its gates.

    Args:
        model: the graph.
        photos: what to run it on.
        preprocessing: how to prepare them.
        progress: whether to show a progress bar.

    Returns:
        The gates of each block, in the graph's order, and the logits [photos, classes].
    """
    found = gates.find(model)
    names = [LOGITS, *(gate.gates for gate in found)]
    run = onnx_runner(gates.exposed(model, found).SerializeToString(), names)
    parts: dict[str, list[NDArray[np.float32]]] = {name: [] for name in names}
    title = "gates" if progress else None
    for batch in read(photos, preprocessing, batch_size=_BATCH, progress=title):
        for name, value in run(batch).items():
            parts[name].append(value.reshape(len(batch), -1))
    values = {name: np.concatenate(arrays) for name, arrays in parts.items()}
    return [BlockGates(gate.block, values[gate.gates]) for gate in found], values[LOGITS]


def excitation(
    model: ModelProto,
    photos: Photos,
    preprocessing: Preprocessing,
    labels: Sequence[Label],
    *,
    progress: bool = False,
) -> tuple[Excitation, list[BlockGates]]:
    """Measures the gates of an fp32 graph, and its answers with every gate frozen to its mean.

    Args:
        model: the graph; it may have no gates.
        photos: what to run it on, with or without classes.
        preprocessing: how to prepare them.
        labels: the classes.
        progress: whether to show progress bars.

    Returns:
        The figures, and the gates that they were made from.
    """
    blocks, logits = observe(model, photos, preprocessing, progress=progress)
    means = {
        gate: block.values.mean(axis=0, dtype=np.float64).astype(np.float32)
        for gate, block in zip(gates.find(model), blocks, strict=True)
    }
    run = onnx_runner(gates.frozen(model, means).SerializeToString(), [LOGITS])
    frozen = logits_of({"frozen gates": run}, photos, preprocessing, progress=progress)
    predicted, predicted_frozen = logits.argmax(1), frozen["frozen gates"].argmax(1)
    known = photos.targets.size > 0
    figures = Excitation(
        photos=len(photos),
        blocks=tuple(_figures(block, photos.targets, labels) for block in blocks),
        top1=float((predicted == photos.targets).mean()) if known else None,
        top1_frozen=float((predicted_frozen == photos.targets).mean()) if known else None,
        agreement_frozen=float((predicted == predicted_frozen).mean()),
    )
    return figures, blocks


def render(figures: Excitation) -> list[str]:
    """The figures as lines of Markdown."""
    if not figures.blocks:
        return ["The network has no gates."]
    lines = [
        f"Over {figures.photos} photos; spread is the standard deviation over them, averaged over",
        "the channels.",
        "",
        "| block | channels | mean | spread | means of the classes |",
        "| --- | --- | --- | --- | --- |",
        *(_row(block) for block in figures.blocks),
        "",
    ]
    constant = [block.block for block in figures.blocks if block.constant]
    lines.append(
        f"Constant: {', '.join(constant)}." if constant else "No block's gates are constant."
    )
    without = f"agree on {figures.agreement_frozen:.2%} of the photos"
    if figures.top1 is not None and figures.top1_frozen is not None:
        without += f"; top-1 {figures.top1:.2%} as it is, {figures.top1_frozen:.2%} with them"
    lines.append(f"Answers with every gate frozen to its mean over these photos {without}.")
    return lines


def _figures(block: BlockGates, targets: NDArray[np.int64], labels: Sequence[Label]) -> GateFigures:
    classes: Mapping[str, BlockGates] = {
        label.id: block.of_class(targets, label.index)
        for label in labels
        if targets.size and (targets == label.index).any()
    }
    return GateFigures(
        block=block.block,
        channels=block.values.shape[1],
        mean=block.mean,
        spread=block.spread,
        constant=block.dead,
        classes={
            name: ClassGates(mean=gates.mean, spread=gates.spread)
            for name, gates in classes.items()
        },
    )


def _row(block: GateFigures) -> str:
    means = [entry.mean for entry in block.classes.values()]
    between = f"{min(means):.3f} to {max(means):.3f}" if means else ""
    spread = f"{block.spread:.5f}" + (" (constant)" if block.constant else "")
    return f"| {block.block} | {block.channels} | {block.mean:.3f} | {spread} | {between} |"
