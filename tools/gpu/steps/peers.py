"""What do a plain server with ONNX Runtime on the card, and PyTorch's compiler, make of it?"""

import os
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import torch

from tools.bench.peer import Setting
from tools.gpu.models import repeating_network
from tools.gpu.plan import MIDDLE, Plan
from tools.gpu.steps import http
from tools.loadtools.process import Server

_SIDE = 224
_WARM = 3


def measure(plan: Plan) -> None:
    """Writes the report."""
    _plain(plan)
    if plan.provider == "cuda":
        _compiled(plan)


def _plain(plan: Plan) -> None:
    version = plan.version(MIDDLE)
    (variant,) = (each for each in version.manifest.variants if each.precision == plan.precision)
    setting = Setting(
        "plain", 1, 1, folder=str(version.folder.resolve()), file=variant.file,
        gpu=plan.provider == "cuda",
    )  # fmt: skip
    command = [
        sys.executable, "-m", "uvicorn", "tools.bench.plain_server:create_app", "--factory",
        "--port", "{port}", "--log-level", "error", "--no-access-log",
    ]  # fmt: skip
    plan.notes.say("FastAPI and ONNX Runtime as most people would put them together.")
    plan.notes.table(*http.HEAD)
    server = Server(
        command, form_path="/upload", environment={**os.environ, **setting.environment()}
    )
    with ExitStack() as stack:
        stack.enter_context(server)
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        http.load(plan, f"plain, {MIDDLE} {plan.precision}", server, Path(folder))


def _compiled(plan: Plan) -> None:
    """PyTorch's compiler with CUDA graphs: images that are on the card already, nothing copied."""
    plan.notes.say("\nPyTorch in fp16, channels last, images on the card already; images a second.")
    plan.notes.table("batch", "as it is", "torch.compile, reduce-overhead", "compiled in s")
    network = repeating_network(MIDDLE).eval().half().cuda()
    network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    with torch.inference_mode():
        for batch in (1, 64):
            images = torch.randn(batch, 3, _SIDE, _SIDE, device="cuda", dtype=torch.float16)
            images = images.to(memory_format=torch.channels_last)
            eager = _rate(plan.seconds, partial(network, images)) * batch
            compiled: Callable[[torch.Tensor], object] = torch.compile(
                network, mode="reduce-overhead", dynamic=False
            )
            began = time.monotonic()
            compiled(images)
            took = time.monotonic() - began
            plan.notes.row(
                batch, eager, _rate(plan.seconds, partial(compiled, images)) * batch, took
            )


def _rate(seconds: float, call: Callable[[], object]) -> float:
    for _ in range(_WARM):
        call()
    torch.cuda.synchronize()
    began, done = time.monotonic(), 0
    while time.monotonic() < began + seconds:
        call()
        done += 1
        torch.cuda.synchronize()
    return done / (time.monotonic() - began)
