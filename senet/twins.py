"""`python -m senet.twins`: what the SE blocks of a network cost, beside its plain twin.

Serving time is that of the exported ONNX graph in ONNX Runtime on this machine's CPU. It
doesn't depend on the weights, so the networks are untrained.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.contract.manifest import Input, Preprocessing
from senet import networks
from senet.cost import multiply_adds, parameters
from senet.export import onnx_file
from senet.export.graph import ServedGraph
from senet.export.runtime import LOGITS, Run, onnx_runner
from senet.export.speed import machine
from senet.heads import Heads

BATCHES = (1, 8)
_CLASSES = 10
_COLUMNS = "{:<32}{:>12}{:>12}{:>10}"


@dataclass(frozen=True)
class Served:
    """One network as it is served.

    Attributes:
        parameters: their number.
        multiply_adds: for one image.
        run: the exported graph.
    """

    parameters: int
    multiply_adds: int
    run: Run


def rows(architecture: str, side: int, rounds: int) -> Iterator[str]:
    """The table's lines.

    Args:
        architecture: an SE network that has a plain twin.
        side: of the image, in pixels.
        rounds: how often each network runs at each batch size; the median is printed.
    """
    with tempfile.TemporaryDirectory() as folder:
        plain, se = (
            _served(name, side, Path(folder))
            for name in (architecture.removeprefix("se_"), architecture)
        )
        yield _COLUMNS.format(f"{architecture}, {side} px", "plain", "SE", "SE/plain")
        yield _line("parameters (M)", plain.parameters / 1e6, se.parameters / 1e6)
        yield _line("multiply-adds (M)", plain.multiply_adds / 1e6, se.multiply_adds / 1e6)
        for batch in BATCHES:
            images = np.zeros((batch, side, side, 3), dtype=np.uint8)
            times = _milliseconds([plain.run, se.run], images, rounds)
            yield _line(f"milliseconds, batch of {batch}", *times)
    yield f"median of {rounds} alternating runs; {machine()}"


def _served(name: str, side: int, folder: Path) -> Served:
    network = networks.build(name, _CLASSES).eval()
    preprocessing = Preprocessing(resize_shorter_side=side, crop_height=side, crop_width=side)
    graph = ServedGraph(Heads(network, side, side), preprocessing).eval()
    path = folder / f"{name}.onnx"
    onnx_file.save(onnx_file.to_onnx(graph, Input(height=side, width=side)), path)
    return Served(
        parameters(network), multiply_adds(network, side, side), onnx_runner(path, [LOGITS])
    )


def _milliseconds(runs: list[Run], images: NDArray[np.uint8], rounds: int) -> list[float]:
    times: list[list[float]] = [[] for _ in runs]
    for run in runs:
        run(images)
    # In turns, so that all share any disturbance.
    for _ in range(rounds):
        for run, gathered in zip(runs, times, strict=True):
            start = time.perf_counter()
            run(images)
            gathered.append(1000 * (time.perf_counter() - start))
    return [statistics.median(gathered) for gathered in times]


def _line(title: str, plain: float, se: float) -> str:
    return _COLUMNS.format(title, f"{plain:.3f}", f"{se:.3f}", f"{se / plain:.3f}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m senet.twins", description=__doc__)
    pairs = [name for name in networks.names() if f"se_{name}" in networks.names()]
    parser.add_argument(
        "architecture",
        nargs="?",
        default="se_resnet_mini",
        choices=[f"se_{name}" for name in pairs],
        metavar="ARCHITECTURE",
        help="an SE network with a plain twin (default %(default)s)",
    )
    parser.add_argument("--size", type=int, default=160, help="side in pixels (default 160)")
    parser.add_argument("--rounds", type=int, default=200, help="runs of each (default 200)")
    return parser


def main(arguments: list[str] | None = None) -> None:
    """Prints the table for what the command line names."""
    parser = _parser()
    parsed = parser.parse_args(arguments)
    if min(parsed.size, parsed.rounds) < 1:
        parser.error("--size and --rounds must be at least 1")
    for row in rows(parsed.architecture, parsed.size, parsed.rounds):
        sys.stdout.write(row + "\n")


if __name__ == "__main__":
    main()
