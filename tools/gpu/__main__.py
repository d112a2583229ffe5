"""`python -m tools.gpu STEP...`: tries and measures the service on an NVIDIA card."""

import argparse
import shlex
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path

from tools.bench import machine
from tools.gpu.notes import Notes
from tools.gpu.plan import Plan
from tools.gpu.steps import (
    cores,
    engine,
    http,
    limits,
    options,
    peers,
    processes,
    right,
    start,
    suite,
    tensorrt,
)
from tools.loadtools.command import run

_STEPS: Mapping[str, Callable[[Plan], None]] = {
    "tests": suite.measure,
    "start": start.measure,
    "right": right.measure,
    "engine": engine.measure,
    "options": options.measure,
    "http": http.measure,
    "processes": processes.measure,
    "peers": peers.measure,
    "limits": limits.measure,
    "cores": cores.measure,
    "tensorrt": tensorrt.measure,
}


def main() -> int:
    """Runs the command; the exit code is 1 if a step could not be finished."""
    parser = argparse.ArgumentParser(prog="python -m tools.gpu", description=__doc__)
    parser.add_argument("steps", nargs="+", choices=list(_STEPS), metavar="STEP")
    parser.add_argument("--provider", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--work", type=Path, default=Path("runs/gpu"), metavar="DIR")
    parser.add_argument("--output", type=Path, default=Path("runs/gpu/report"), metavar="DIR")
    parser.add_argument("--seconds", type=float, default=3.0, help="of one measurement")
    parser.add_argument("--quick", action="store_true", help="leave out what takes long")
    parsed = parser.parse_args()
    failed = False
    for name in parsed.steps:
        notes = Notes(parsed.output / f"{name}.md", name)
        described = ", ".join(f"{key} {value}" for key, value in machine.describe().items())
        notes.say(f"`{shlex.join(['python', '-m', 'tools.gpu', *sys.argv[1:]])}`; {described}\n")
        plan = Plan(parsed.provider, parsed.work, parsed.seconds, parsed.quick, notes)
        began = time.monotonic()
        try:
            _STEPS[name](plan)
        # One step's failure is a finding, and must not take the others' time on the card.
        except Exception:  # noqa: BLE001 - it is written down
            failed = True
            notes.say(f"\n**failed:**\n\n```\n{traceback.format_exc()}```")
        failed = failed or notes.failures > 0
        notes.say(f"\ntook {time.monotonic() - began:.0f} s\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(run(main))
