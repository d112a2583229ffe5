"""Building TensorRT engines for the machine that this runs on."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from app.contract.errors import ConfigurationError
from app.contract.manifest import Parity, Precision, Variant
from app.contract.parity import compare
from app.contract.publishing import staged
from app.contract.repository import ModelVersion
from app.contract.signature import Signature
from app.engines.engine import Layout
from app.engines.onnx_engine import OnnxEngines
from app.engines.tensorrt_cache import (
    SERVING_OPTIONS,
    TensorRTTarget,
    build_options,
    engine_file,
)
from app.hardware import available_cores

_PROVIDER = "TensorrtExecutionProvider"
Outputs = Mapping[str, NDArray[np.float32]]
Run = Callable[[NDArray[np.uint8]], Outputs]
"""uint8 [batch, height, width, 3] -> the outputs by their names."""

Compile = Callable[[Path, Mapping[str, str], Signature], Run]
"""Compiles an ONNX file with the provider's options and runs the EP context file that they name,
for the logits alone."""

_Logits = Callable[[NDArray[np.uint8]], NDArray[np.float32]]


def build(
    version: ModelVersion,
    photos: NDArray[np.uint8],
    target: TensorRTTarget,
    compile_engine: Compile,
    *,
    precision: Precision = "fp16",
    max_batch_size: int,
    max_accuracy_drop: float,
    force: bool,
) -> Path:
    """Builds the engine of a published version and checks it before a service can find it.

    Args:
        version: the published version.
        photos: real photos uint8 [n, height, width, 3]; their classes are compared with the
            fp32 file's on the CPU.
        target: this machine.
        compile_engine: `compile_tensorrt`.
        precision: the variant to build from: fp16, or int8 in the s8s8 layout.
        max_batch_size: largest batch that the engine takes; at least that of the golden images.
        max_accuracy_drop: percentage of photos that may change class.
        force: whether an engine that is there already is replaced.

    Returns:
        The engine's file.

    Raises:
        ConfigurationError: if the version lacks the variant, TensorRT does not take it, or the
            engine's logits leave the tolerance.
    """
    variant = _variant(version, precision)
    source = version.verified_file(variant)
    final = engine_file(version.folder, variant.sha256, target)
    inputs, expected = version.golden()
    largest = max(max_batch_size, len(inputs))
    with staged(final.parent, force=force) as stage:
        signature = version.manifest.signature
        logits = signature.logits.name
        options = build_options(stage / final.name, signature.image, max_batch_size=largest)
        run = compile_engine(source, options, signature)
        tolerance = version.manifest.golden.tolerance[precision]
        _check_golden(run(inputs)[logits], expected, tolerance)
        engine = OnnxEngines("cpu").load(
            version.verified_file(_variant(version, "fp32")),
            "cpu",
            Layout(available_cores(), 1),
            signature,
        )
        slot = engine.open_slots()[0]
        parity = _parity(
            lambda part: slot.run(list(part), [logits])[logits],
            lambda part: run(part)[logits],
            photos,
            largest,
        )
        _check_parity(parity, max_accuracy_drop)
        facts = {
            **asdict(target),
            "model_sha256": variant.sha256,
            "precision": precision,
            "max_batch_size": largest,
            "parity": parity.model_dump(),
            "parity_photos": len(photos),
        }
        (stage / "engine.json").write_text(json.dumps(facts, indent=1) + "\n")
    return final


def compile_tensorrt(source: Path, options: Mapping[str, str], signature: Signature) -> Run:
    """See `Compile`. Creating the first session builds the engine and writes it."""
    _session(source, options)
    session = _session(Path(options["trt_ep_context_file_path"]), SERVING_OPTIONS)

    def run(images: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
        name = signature.logits.name
        (logits,) = session.run([name], {signature.image.name: images})
        return {name: logits}

    return run


def _session(path: Path, options: Mapping[str, str]) -> onnxruntime.InferenceSession:
    session_options = onnxruntime.SessionOptions()
    # An engine that leaves nodes to another provider would not be the engine that was asked for.
    session_options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    try:
        session = onnxruntime.InferenceSession(
            path, session_options, providers=[(_PROVIDER, dict(options))]
        )
    except Exception as error:
        # ONNX Runtime's exceptions share no base class below Exception.
        raise ConfigurationError(
            "--tensorrt",
            f"TensorRT cannot take {path.name}: {' '.join(str(error).split())[:300]}",
            "check the TensorRT installation and the GPU's free memory",
        ) from error
    if session.get_providers()[0] != _PROVIDER:
        raise ConfigurationError(
            "--tensorrt",
            f"{_PROVIDER} did not load, ONNX Runtime took {session.get_providers()[0]}",
            "check that TensorRT's libraries are on the loader's path",
        )
    return session


def _variant(version: ModelVersion, precision: Precision) -> Variant:
    for variant in version.manifest.variants:
        if variant.precision == precision:
            return variant
    raise ConfigurationError(
        "--precision",
        f"{version.folder} has no {precision} variant",
        f"export it with {precision} in --precision",
    )


def _check_golden(
    logits: NDArray[np.float32], expected: NDArray[np.float32], tolerance: float
) -> None:
    difference = float(np.abs(logits - expected).max())
    # Written so that NaN, which compares false, is refused.
    if not difference <= tolerance:
        raise ConfigurationError(
            "--tensorrt",
            f"the engine's logits differ from the network's by {difference:.3g} on the golden"
            f" images, tolerance {tolerance:g}",
            "the engine was not kept; build from another precision",
        )


def _parity(fp32: _Logits, engine: _Logits, photos: NDArray[np.uint8], batch: int) -> Parity:
    parts = [photos[start : start + batch] for start in range(0, len(photos), batch)]
    expected = np.concatenate([fp32(part) for part in parts])
    actual = np.concatenate([engine(part) for part in parts])
    return compare("fp32", expected, actual)


def _check_parity(parity: Parity, max_accuracy_drop: float) -> None:
    changed = 100 * (1 - parity.top1_agreement)
    if not changed <= max_accuracy_drop:
        raise ConfigurationError(
            "--max-accuracy-drop",
            f"the engine gives {changed:.2f} % of the photos another class than fp32 (allowed"
            f" {max_accuracy_drop:g} %)",
            "the engine was not kept; build from another precision or allow more",
        )
