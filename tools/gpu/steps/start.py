"""Does it start, how soon, with how much memory; and does it refuse to start where it must?"""

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from app.contract.manifest import Precision
from tools.gpu import card
from tools.gpu.hidden import hidden
from tools.gpu.plan import DEFAULT, LARGE, MIDDLE, Plan
from tools.loadtools import operations
from tools.loadtools.process import NotReady, service

_SECONDS = 60
_SERVED: tuple[tuple[str, Precision], ...] = (
    (DEFAULT, "fp32"),
    (DEFAULT, "fp16"),
    (MIDDLE, "fp16"),
    (LARGE, "fp16"),
)
_LIBRARIES = ("libcudnn.so", "libcublasLt.so")
_MOST_SAID = 2000


def measure(plan: Plan) -> None:
    """Writes the report."""
    if plan.provider == "cuda":
        _refusals(plan)
    with plan.notes.attempt("doctor"):
        _doctor(plan)
    if not plan.quick:
        _starts(plan)


def _doctor(plan: Plan) -> None:
    command = [sys.executable, "-m", "app", "doctor", "--provider", plan.provider]
    done = subprocess.run(  # noqa: S603 - our own command
        command, capture_output=True, text=True, timeout=_SECONDS, check=False
    )
    said = done.stdout + done.stderr[-_MOST_SAID:]
    plan.notes.say(f"`doctor` exits {done.returncode}:\n\n```\n{said}```")


def _starts(plan: Plan) -> None:
    plan.notes.table("model", "largest batch", "ready after s", "resident MiB", "card MiB")
    for name, precision in _SERVED:
        for largest in (8, 64):
            before = card.memory_mib()
            options = plan.service_options(name, precision, "--max-batch-size", str(largest))
            try:
                with service(options) as server:
                    plan.notes.row(
                        f"{name} {precision}", str(largest), server.ready_seconds,
                        server.resident_mib, card.memory_mib() - before,
                    )  # fmt: skip
            except NotReady as error:
                plan.notes.row(f"{name} {precision}", str(largest), _said(error), None, None)


def _refusals(plan: Plan) -> None:
    """The card or a library is taken away: a named provider is refused, auto goes on without."""
    plan.notes.table("what is broken", "provider", "outcome")
    with plan.notes.attempt("no card is visible"):
        _break(plan, "no card is visible", {**os.environ, "CUDA_VISIBLE_DEVICES": ""})
    for library in _LIBRARIES:
        with plan.notes.attempt(library), hidden(library) as (away, kept):
            left = f", and {len(kept)} could not be" if kept else ""
            _break(plan, f"{library}, of which {len(away)} copies are hidden{left}", os.environ)
            lines = "\n".join(map(str, [*away, *(f"{file} (kept)" for file in kept)]))
        plan.notes.say(f"\n```\n{lines}\n```")
        plan.notes.table("what is broken", "provider", "outcome")
    with plan.notes.attempt("all is back"):
        plan.notes.row("all is back", "cuda", _outcome(plan, "cuda", os.environ))


def _break(plan: Plan, what: str, environment: Mapping[str, str]) -> None:
    providers = ("cuda", "auto")
    with ThreadPoolExecutor(len(providers)) as threads:
        outcomes = threads.map(lambda name: _outcome(plan, name, environment), providers)
        for provider, outcome in zip(providers, outcomes, strict=True):
            plan.notes.row(what, provider, outcome)


def _outcome(plan: Plan, provider: str, environment: Mapping[str, str]) -> str:
    options = plan.service_options(DEFAULT, "fp32", "--max-batch-size", "8")
    options[options.index("--provider") + 1] = provider
    options[options.index("--log-level") + 1] = "warning"
    try:
        with service(options, environment=environment) as server:
            model = asyncio.run(operations.served_model(server.port))
            return f"serves on {model['provider']} after {server.ready_seconds:.1f} s"
    except NotReady as error:
        return "refused: " + _said(error)


def _said(error: NotReady) -> str:
    """Its end, in a table's cell."""
    return re.sub(r"\s+", " ", error.reason)[-400:].replace("|", "/")
