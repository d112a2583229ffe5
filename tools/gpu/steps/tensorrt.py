"""Is TensorRT there, and does the engine that it builds serve?"""

import re
import subprocess
import sys

from tools.gpu.plan import DEFAULT, Plan

_SECONDS = 240


def measure(plan: Plan) -> None:
    """Writes the report."""
    command = [
        sys.executable, "-m", "app", "tensorrt",
        "--model-repository", str(plan.repository(DEFAULT)), "--name", DEFAULT,
    ]  # fmt: skip
    done = subprocess.run(  # noqa: S603 - our own command
        command, capture_output=True, text=True, timeout=_SECONDS, check=False
    )
    said = re.sub(r"\s+", " ", done.stdout + done.stderr)[-400:]
    plan.notes.say(f"`{' '.join(command[1:])}` exits {done.returncode}: {said}")
