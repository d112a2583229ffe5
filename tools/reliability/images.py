"""`python -m tools.reliability.images`: prepares every image of the corpus, and measures it.

Prints a histogram of outcomes by kind and the dearest images, and fails if an image ended in
another way than it may, or took more time or memory than promised.
"""

import argparse
import sys
import time
import warnings
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from app.contract.errors import ImageError
from app.contract.manifest import Preprocessing
from app.contract.preprocess import preprocess
from tools.reliability.corpus import Case, corpus
from tools.reliability.corpus.case import PREDICTION

_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")
_RESET_PEAK = "5"
_MIB = 1024.0


@dataclass(frozen=True, slots=True)
class Trial:
    """What became of one image.

    Attributes:
        outcome: "prediction" or an error's code; another exception's name is a bug.
        cpu_seconds: processor time of all threads.
        extra_mib: peak resident memory above what was resident before.
    """

    case: Case
    outcome: str
    cpu_seconds: float
    extra_mib: float


def attempt(case: Case, preprocessing: Preprocessing, max_pixels: int) -> str:
    """Prepares one image; returns how that ended."""
    try:
        preprocess(case.data, preprocessing, max_pixels=max_pixels)
    except ImageError as error:
        return error.code
    return PREDICTION


def measured(case: Case, preprocessing: Preprocessing, max_pixels: int) -> Trial:
    """The same, with what it cost."""
    _CLEAR.write_text(_RESET_PEAK)
    before = _resident_mib("VmRSS")
    started = time.process_time()
    outcome = attempt(case, preprocessing, max_pixels)
    seconds = time.process_time() - started
    return Trial(case, outcome, seconds, max(0.0, _resident_mib("VmHWM") - before))


def _resident_mib(field: str) -> float:
    lines = _STATUS.read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) / _MIB


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tools.reliability.images", description=__doc__)
    parser.add_argument("--bomb-bytes", type=int, default=32 * 1024 * 1024)
    parser.add_argument("--flips", type=int, default=300, help="damaged copies of each format")
    parser.add_argument("--max-pixels", type=int, default=40_000_000)
    parser.add_argument("--max-seconds", type=float, default=2.0, help="processor time of one")
    parser.add_argument("--max-mib", type=float, default=256.0, help="extra memory of one")
    parser.add_argument("--dearest", type=int, default=10, help="how many to print")
    parser.add_argument("--only", default="", help="only images whose name contains this")
    return parser.parse_args()


def main() -> int:
    """Runs the command; the exit code is 1 if a promise was broken."""
    options = _parse()
    warnings.filterwarnings("ignore", module=r"PIL\.")
    preprocessing = Preprocessing(
        geometry="torchvision", resize_shorter_side=256, crop_height=224, crop_width=224
    )
    trials = [
        measured(case, preprocessing, options.max_pixels)
        for case in corpus(bomb_bytes=options.bomb_bytes, flips=options.flips)
        if options.only in case.name
    ]
    # Cases hold their bytes: only what is needed of them is kept from here on.
    histogram = Counter((trial.case.name.partition("/")[0], trial.outcome) for trial in trials)
    for (kind, outcome), count in sorted(histogram.items()):
        print(f"{kind:22} {outcome:26} {count:6}")
    print(f"{len(trials)} images")
    dearest = sorted(trials, key=lambda trial: max(trial.cpu_seconds / 2, trial.extra_mib / 256))
    for trial in reversed(dearest[-options.dearest :]):
        print(
            f"{trial.cpu_seconds:7.2f} s CPU {trial.extra_mib:8.1f} MiB  "
            f"{trial.case.name} ({len(trial.case.data)} bytes): {trial.outcome}"
        )
    broken = [
        trial
        for trial in trials
        if trial.outcome not in trial.case.outcomes
        or trial.cpu_seconds > options.max_seconds
        or trial.extra_mib > options.max_mib
    ]
    for trial in broken:
        print(f"BROKEN: {trial.case.name}: {trial.outcome}", file=sys.stderr)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
