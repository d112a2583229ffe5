"""Which options of ONNX Runtime's CUDA provider make the network fastest, at the same results?"""

import time
from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import onnxruntime

from app.contract.manifest import Precision
from app.engines.bound_batch import BoundBatch
from app.engines.pinned_memory import cuda_pinned_memory
from app.engines.providers import session_providers
from tools.gpu.plan import DEFAULT, MIDDLE, Plan

_BATCHES = (1, 8, 64)
_VARIANTS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "as served": {},
        "prefer_nhwc=1": {"prefer_nhwc": "1"},
        "prefer_nhwc=0": {"prefer_nhwc": "0"},
        "HEURISTIC": {"cudnn_conv_algo_search": "HEURISTIC"},
        "prefer_nhwc=1, HEURISTIC": {"prefer_nhwc": "1", "cudnn_conv_algo_search": "HEURISTIC"},
        "prefer_nhwc=1, fuse_conv_bias=1": {"prefer_nhwc": "1", "fuse_conv_bias": "1"},
    }
)


def measure(plan: Plan) -> None:
    """Writes the report."""
    plan.notes.say("One session with CUDA graphs; images a second, copies included.")
    plan.notes.table(
        "model", "options", *(f"batch {size}" for size in _BATCHES), "ready after s",
        "worst difference from the golden logits",
    )  # fmt: skip
    subjects: list[tuple[str, Precision]] = [(MIDDLE, "fp16"), (DEFAULT, "fp16")]
    if not plan.quick:
        subjects.append((MIDDLE, "fp32"))
    for name, precision in subjects:
        for title, options in _VARIANTS.items():
            try:
                _variant(plan, name, precision, title, options)
            except Exception as error:  # noqa: BLE001 - an option that does not work is a finding
                plan.notes.row(name, f"{title}: {str(error)[:200]}", None, None, None, None, None)


def _variant(
    plan: Plan, name: str, precision: Precision, title: str, extra: Mapping[str, str]
) -> None:
    version = plan.version(name)
    signature = version.manifest.signature
    (variant,) = (each for each in version.manifest.variants if each.precision == precision)
    providers = session_providers(plan.provider, cuda_graphs=plan.provider == "cuda")
    providers[0][1].update(extra)
    onnxruntime.preload_dlls()
    onnxruntime.set_default_logger_severity(4)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    began = time.monotonic()
    session = onnxruntime.InferenceSession(
        version.folder / variant.file, options, providers=providers
    )
    batches = [
        BoundBatch(
            session,
            size,
            signature,
            device=plan.provider,
            graph_id=number if plan.provider == "cuda" else None,
            prepare_host=cuda_pinned_memory().pin,
        )
        for number, size in enumerate(_BATCHES, start=1)
    ]
    for batch in batches:
        batch.capture()
    ready = time.monotonic() - began
    inputs, golden = version.golden()
    found = batches[1].run(list(inputs), [signature.logits.name])[signature.logits.name]
    images = list(np.resize(inputs, (_BATCHES[-1], *inputs.shape[1:])))
    # In this thread, which has captured the graphs.
    rates = [
        _rate(plan.seconds, batch, images[:size], signature.logits.name) * size
        for batch, size in zip(batches, _BATCHES, strict=True)
    ]
    plan.notes.row(
        f"{name} {precision}", title, *rates, ready, f"{np.abs(found - golden).max():.2g}"
    )


def _rate(seconds: float, batch: BoundBatch, images: list[np.ndarray], output: str) -> float:
    batch.run(images, [output])
    began, done = time.monotonic(), 0
    while time.monotonic() < began + seconds:
        batch.run(images, [output])
        done += 1
    return done / (time.monotonic() - began)
