"""Does it start, how soon, with how much memory; and does it refuse to start where it must?"""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

import onnxruntime

from app.contract.manifest import Precision
from tools.gpu import card
from tools.gpu.plan import DEFAULT, MIDDLE, Plan
from tools.loadtools.process import NotReady, service

_SECONDS = 60
_SERVED: tuple[tuple[str, Precision], ...] = (
    (DEFAULT, "fp32"),
    (DEFAULT, "fp16"),
    (MIDDLE, "fp16"),
)


def measure(plan: Plan) -> None:
    """Writes the report."""
    _doctor(plan)
    _starts(plan)
    if plan.provider == "cuda":
        _refusals(plan)


def _doctor(plan: Plan) -> None:
    command = [sys.executable, "-m", "app", "doctor", "--provider", plan.provider]
    done = subprocess.run(  # noqa: S603 - our own command
        command, capture_output=True, text=True, timeout=_SECONDS, check=False
    )
    plan.notes.say(f"`doctor` exits {done.returncode}:\n\n```\n{done.stdout}{done.stderr}```")


def _starts(plan: Plan) -> None:
    plan.notes.table("model", "largest batch", "ready after s", "resident MiB", "card MiB")
    for name, precision in _SERVED:
        for largest in (64,) if plan.quick else (8, 64):
            before = card.memory_mib()
            options = plan.service_options(name, precision, "--max-batch-size", str(largest))
            try:
                with service(options) as server:
                    plan.notes.row(
                        f"{name} {precision}", largest, server.ready_seconds, server.resident_mib,
                        card.memory_mib() - before,
                    )  # fmt: skip
            except NotReady as error:
                plan.notes.row(f"{name} {precision}", largest, error.reason[-300:], None, None)


def _refusals(plan: Plan) -> None:
    """The card or a library is taken away: a named provider is refused, auto goes on without."""
    plan.notes.table("what is broken", "provider", "outcome")
    hidden = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
    for provider in ("cuda", "auto"):
        plan.notes.row("no card is visible", provider, _outcome(plan, provider, hidden))
    packages = Path(onnxruntime.__file__).parents[1] / "nvidia"
    for library in ("libcudnn.so.9", "libcublasLt.so.13"):
        with ExitStack() as undo:
            # The machine may have another one, which an empty file hides.
            folder = Path(undo.enter_context(tempfile.TemporaryDirectory()))
            (folder / library).touch()
            paths = f"{folder}:{os.environ.get('LD_LIBRARY_PATH', '')}"
            broken = {**os.environ, "LD_LIBRARY_PATH": paths}
            for found in {file.resolve() for file in packages.rglob(library)}:
                found.rename(found.with_suffix(".away"))
                undo.callback(found.with_suffix(".away").rename, found)
            for provider in ("cuda", "auto"):
                outcome = _outcome(plan, provider, broken)
                plan.notes.row(f"{library} is broken", provider, outcome)


def _outcome(plan: Plan, provider: str, environment: Mapping[str, str]) -> str:
    options = plan.service_options(DEFAULT, "fp32")
    options[options.index("--provider") + 1] = provider
    options[options.index("--log-level") + 1] = "warning"
    try:
        with service(options, environment=environment) as server:
            return f"serves after {server.ready_seconds:.1f} s"
    except NotReady as error:
        return "refused: " + re.sub(r"\s+", " ", error.reason)[-400:].replace("|", "/")
