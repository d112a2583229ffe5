"""What do a plain server with ONNX Runtime on the card, and PyTorch's compiler, make of it?"""

import os
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch

from tools.bench.peer import Setting
from tools.gpu.models import repeating_network
from tools.gpu.plan import MIDDLE, Plan
from tools.gpu.steps import http
from tools.gpu.steps.engine import rate
from tools.loadtools import pictures
from tools.loadtools.process import Server, service

_SIDE = 224
_WARM = 3
_BATCHES = (1, 64)
_SERIES = (
    http.Series(http.THUMBNAIL, 1, (1, 256)),
    http.Series(http.THUMBNAIL, 64, (16,)),
    http.Series(pictures.SMALL, 1, (256,)),
)


def measure(plan: Plan) -> None:
    """Writes the report."""
    precision = plan.precision
    options = plan.service_options(MIDDLE, precision, *http.OPTIONS)
    with plan.notes.attempt("the service"):
        plan.notes.say(f"The service, `{' '.join(http.OPTIONS)}`.")
        _served(plan, f"service, {MIDDLE} {precision}", service(options))
    with plan.notes.attempt("the engine"):
        _engine(plan)
    if plan.provider == "cuda":
        with plan.notes.attempt("PyTorch"):
            _compiled(plan)
    # The last one, for it goes through its queue before it ends.
    with plan.notes.attempt("the plain server"):
        plan.notes.say("\nFastAPI and ONNX Runtime as most people would put them together.")
        _served(plan, f"plain, {MIDDLE} {precision}", _plain(plan))


def _served(plan: Plan, title: str, server: Server) -> None:
    with server, tempfile.TemporaryDirectory() as folder:
        http.load(plan, title, server, Path(folder), _SERIES)


def _plain(plan: Plan) -> Server:
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
    return Server(command, form_path="/upload", environment={**os.environ, **setting.environment()})


def _engine(plan: Plan) -> None:
    """The service's own engine, whose rates include copies to the card and back."""
    plan.notes.say("\nThe engine of the service, images copied to the card; images a second.")
    plan.notes.table("batch", "one slot", "two slots")
    slots = plan.engine(MIDDLE, plan.precision, slots=2, largest=_BATCHES[-1]).open_slots()
    for batch in _BATCHES:
        images = list(np.zeros((batch, _SIDE, _SIDE, 3), np.uint8))
        runs = [partial(slot.run, images, ["logits"]) for slot in slots]
        one, two = (rate(plan.seconds, loops) * batch for loops in (runs[:1], runs))
        plan.notes.row(str(batch), one, two)


def _compiled(plan: Plan) -> None:
    """PyTorch's compiler with CUDA graphs: images that are on the card already, nothing copied."""
    plan.notes.say("\nPyTorch in fp16, channels last, images on the card already; images a second.")
    plan.notes.table("batch", "as it is", "torch.compile, reduce-overhead", "compiled in s")
    network = repeating_network(MIDDLE).eval().half().cuda()
    network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    with torch.inference_mode():
        for batch in _BATCHES:
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
                str(batch), eager, _rate(plan.seconds, partial(compiled, images)) * batch, took
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
