"""What happens when memory runs out, a kernel does not come back, or clients misbehave?"""

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import torch

from tools.gpu.plan import DEFAULT, MIDDLE, Plan
from tools.loadtools import pictures, wrk
from tools.loadtools.bodies import raw
from tools.loadtools.process import NotReady, service

_LEFT_MIB = 700
_CHAOS_SECONDS = 12


def measure(plan: Plan) -> None:
    """Writes the report."""
    plan.notes.table("what", "outcome")
    if plan.provider == "cuda":
        with _full(_LEFT_MIB):
            plan.notes.row("started on a full card", _start(plan, MIDDLE, 64))
        _filled_later(plan)
    _hung(plan)
    _chaos(plan)


@contextmanager
def _full(left_mib: int) -> Iterator[None]:
    """Fills the card but for so much."""
    free, _ = torch.cuda.mem_get_info()
    block = torch.empty(free - left_mib * 2**20, dtype=torch.uint8, device="cuda")
    try:
        yield
    finally:
        del block
        torch.cuda.empty_cache()


def _start(plan: Plan, name: str, largest: int) -> str:
    try:
        with service(
            plan.service_options(name, "fp16", "--max-batch-size", str(largest))
        ) as server:
            return f"serves after {server.ready_seconds:.1f} s"
    except NotReady as error:
        return "refused: " + re.sub(r"\s+", " ", error.reason)[-400:].replace("|", "/")


def _filled_later(plan: Plan) -> None:
    photos = pictures.drawn(plan.work / "photos", pictures.SMALL, compact=True)
    options = plan.service_options(MIDDLE, "fp16", "--max-batch-size", "64")
    with service(options) as server, _full(64):
        run = wrk.run(
            server.url, raw(photos), clients=64, seconds=2, ramp=1, memory_mib=lambda: 0.0
        )
        plan.notes.row(
            "filled while it serves", f"{run.requests} requests, {run.failed} failed, p99"
            f" {run.p99_ms:.0f} ms",
        )  # fmt: skip


def _hung(plan: Plan) -> None:
    """No batch is answered within the limit: the engine counts as hung, the process ends."""
    photos = pictures.drawn(plan.work / "photos", pictures.SMALL, compact=True)
    options = plan.service_options(MIDDLE, plan.precision, "--max-batch-size", "64")
    with service([*options, "--inference-timeout-ms", "1"]) as server:
        began = time.monotonic()
        # The load generator may find nobody any more.
        with suppress(RuntimeError):
            wrk.run(server.url, raw(photos), clients=64, seconds=2, ramp=1, memory_mib=lambda: 0.0)
        while server.exit_code is None and time.monotonic() < began + 30:
            time.sleep(0.1)
        plan.notes.row(
            "a batch takes longer than inference_timeout_ms=1", f"exit code {server.exit_code}"
        )


def _chaos(plan: Plan) -> None:
    command = [
        sys.executable, "-m", "tools.reliability.chaos", "--seconds", str(_CHAOS_SECONDS),
        "--provider", plan.provider, "--model", DEFAULT,
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own
    said = re.sub(r"\s+", " ", done.stdout + done.stderr)[-900:]
    plan.notes.row("chaos", f"exit code {done.returncode}: {said}")
