"""Trains pairs with and without SE blocks, seed by seed: what do SE blocks bring?

The trainings run one after the other; each figure is written when its training ends, and a
training that was stopped goes on where it was when the same command is started again.
"""

import argparse
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import onnx
from tqdm import tqdm

from app.contract.errors import ConfigurationError
from app.contract.manifest import Label
from senet.export import photos
from senet.export.excitation import excitation
from senet.export.trained import served_graph
from senet.training import pairs
from senet.training.options import TrainingOptions
from senet.training.pairs import Figure
from senet.training.photos import class_labels
from senet.training.run import Training
from senet.training.state import CHECKPOINT


def main(arguments: list[str] | None = None) -> int:
    """Runs what is missing; returns the exit code."""
    parsed = _parser().parse_args(arguments)
    try:
        labels = class_labels(parsed.data / "train", parsed.classes)
        for seed, name in pairs.missing(
            pairs.read(parsed.figures), parsed.architecture, range(1, parsed.seeds + 1)
        ):
            pairs.append(parsed.figures, _train(parsed, labels, seed, name))
        gain = pairs.gain(pairs.read(parsed.figures), parsed.architecture)
    except ConfigurationError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("stopped; the same command continues\n")
        return 130
    if gain is not None:
        sys.stdout.write(
            f"{parsed.architecture} against its plain twin: {gain.mean:+.2f} points of top-1 over"
            f" {gain.pairs} pairs, 95 % interval {gain.low:+.2f} to {gain.high:+.2f}\n"
        )
    return 0


def _train(parsed: argparse.Namespace, labels: tuple[Label, ...], seed: int, name: str) -> Figure:
    output = parsed.output / f"{name}-{seed}"
    options = TrainingOptions(
        data=str(parsed.data),
        architecture=name,
        seed=seed,
        epochs=parsed.epochs,
        size=parsed.size,
        evaluation_size=parsed.evaluation_size,
        batch_size=parsed.batch_size,
        threads=parsed.threads,
        bf16=parsed.bf16,
        evaluate_every=parsed.epochs,
    )
    started = time.monotonic()
    training = Training(options, labels, output)

    def bar(steps: Iterable[int], title: str) -> Iterable[int]:
        return tqdm(steps, desc=f"{name}, seed {seed}, {title}", unit="step", leave=False)

    training.run(bar)
    model, preprocessing, _ = served_graph(output / CHECKPOINT)
    onnx.checker.check_model(model)
    chosen = photos.labelled("--data", parsed.data / "val", labels)
    seen, _ = excitation(model, chosen, preprocessing, labels)
    last = training.history[-1]
    return Figure(
        seed=seed,
        architecture=name,
        top1=last["top1"],
        top5=last["top5"],
        top1_frozen=seen.top1_frozen if seen.blocks else None,
        spread={block.block: round(block.spread, 5) for block in seen.blocks},
        seconds=round(time.monotonic() - started, 1),
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m scripts.pairs", description=__doc__)
    add = parser.add_argument
    add("--data", type=Path, required=True, help="folder with train/ and val/")
    add("--classes", type=Path, help="as for scripts.train")
    add("--output", type=Path, required=True, help="folder of the run directories")
    add("--figures", type=Path, required=True, help="JSON-lines file that gets the figures")
    add("--architecture", default="se_resnet_mini", help="default %(default)s")
    add("--seeds", type=int, default=7, help="pairs, with seeds from 1 (default %(default)s)")
    add("--epochs", type=int, default=30, help="default %(default)s")
    add("--size", type=int, default=96, help="side of the crops in pixels (default %(default)s)")
    add("--evaluation-size", type=int, default=128, help="in pixels (default %(default)s)")
    add("--batch-size", type=int, default=64, help="default %(default)s")
    add("--threads", type=int, default=2, help="default %(default)s")
    add("--bf16", action="store_true", help="as for scripts.train")
    return parser


if __name__ == "__main__":
    sys.exit(main())
