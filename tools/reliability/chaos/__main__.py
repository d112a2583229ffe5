"""`python -m tools.reliability.chaos`."""

import argparse
import asyncio
import sys
import warnings
from collections import Counter
from pathlib import Path

import tools.reliability.chaos
from tools.loadtools.command import run
from tools.reliability.chaos.run import chaos


def main() -> int:
    """Runs the command; the exit code is 1 if anything went wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.reliability.chaos", description=tools.reliability.chaos.__doc__
    )
    parser.add_argument("--seconds", type=float, default=180.0)
    parser.add_argument("--clients", type=int, default=24)
    parser.add_argument("--model-repository", type=Path, default=Path("models"))
    parser.add_argument("--model", default="imagenette")
    parser.add_argument("--provider", choices=("cpu", "cuda"), default="cpu")
    options = parser.parse_args()
    warnings.filterwarnings("ignore", module=r"PIL\.")
    tally, done = asyncio.run(
        chaos(
            options.model_repository,
            options.model,
            options.seconds,
            options.clients,
            options.provider,
        )
    )
    for kind, number in sorted(done.items()):
        print(f"{kind:12} {number:8}")
    print(f"statuses seen: {dict(sorted(tally.statuses.items()))}")
    print(f"good images answered rightly: {tally.checked}; with inference_failed: {tally.failed}")
    for what, number in Counter(tally.wrong).most_common(20):
        print(f"WRONG: {what} ({number} times)", file=sys.stderr)
    return 1 if tally.wrong else 0


if __name__ == "__main__":
    sys.exit(run(main))
