"""Trains a network on a folder of photos; started again, continues where it was stopped."""

import argparse
import sys
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError
from tqdm import tqdm

from app.contract.errors import ConfigurationError
from app.hardware import available_cores
from senet.training.epoch_lines import EpochLines
from senet.training.machine import default_device, default_threads
from senet.training.options import TrainingOptions, flag
from senet.training.photos import class_labels
from senet.training.run import Training
from senet.training.state import CHECKPOINT

_OF_THE_MACHINE = MappingProxyType(
    {"device": "cuda if there is a card, else cpu", "threads": "as many as there are cores"}
)


def main(arguments: list[str] | None = None) -> int:
    """Trains, or continues the run in `--output`; returns the exit code."""
    parsed = vars(_parser().parse_args(arguments))
    output, classes = parsed.pop("output"), parsed.pop("classes")
    try:
        options = _options(parsed)
        labels = class_labels(Path(options.data) / "train", classes)
        training = Training(options, labels, output)
        if training.history:
            _say(f"continuing after epoch {len(training.history)} of {options.epochs}")
        for note in training.notes:
            _say(note)
        training.run(_bar, EpochLines(options.epochs, partial(tqdm.write, file=sys.stderr)))
    except ConfigurationError as error:
        _say(f"error: {error}")
        return 2
    except KeyboardInterrupt:
        _say("stopped; the same command continues")
        return 130
    last = training.history[-1]
    if training.done and len(training.history) < options.epochs:
        _say(f"stopped after epoch {len(training.history)}: top-1 rises no more (--patience)")
    if dead := last.get("dead_blocks"):
        _say(f"warning: the gates of {', '.join(dead)} hardly depend on the photo (gate_spread)")
    sys.stdout.write(f"{output / CHECKPOINT}: top-1 {last['top1']:.2%}, top-5 {last['top5']:.2%}\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m scripts.train", description=__doc__)
    parser.add_argument(
        "--output", type=Path, required=True, help=f"run directory: {CHECKPOINT} and log.jsonl"
    )
    parser.add_argument(
        "--classes", type=Path, help="text file, 'index id name' a line; default: folder names"
    )
    for name, field in TrainingOptions.model_fields.items():
        text = " ".join((field.description or "").split()).replace("%", "%%")
        if field.annotation is bool:
            parser.add_argument(flag(name), action="store_true", help=text)
        elif field.is_required():
            parser.add_argument(flag(name), required=True, help=text)
        else:
            default = _OF_THE_MACHINE.get(name, field.default)
            text += "" if default is None else f" Default: {default}."
            parser.add_argument(flag(name), help=text, metavar="VALUE")
    return parser


def _options(parsed: dict[str, Any]) -> TrainingOptions:
    given = {name: value for name, value in parsed.items() if value is not None}
    try:
        options = TrainingOptions.model_validate({"device": default_device(), **given})
        threads = default_threads(available_cores(), options.batch_size)
        return options if "threads" in given else options.model_copy(update={"threads": threads})
    except ValidationError as error:
        first = error.errors()[0]
        raise ConfigurationError(
            flag(str(first["loc"][0])), f"{first['input']!r}: {first['msg']}", "see --help"
        ) from error


def _bar(steps: Iterable[int], title: str) -> Iterable[int]:
    # None leaves it to tqdm, which shows a bar on a terminal only: a log has a line an epoch.
    return tqdm(steps, desc=title, unit="step", leave=False, disable=None)


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")


if __name__ == "__main__":
    sys.exit(main())
