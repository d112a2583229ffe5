"""A loaded engine proves itself before it serves: every batch size runs, golden answers match."""

from collections.abc import Callable, Collection, Mapping

import numpy as np
from numpy.typing import NDArray

from app.contract.errors import ConfigurationError
from app.contract.manifest import Precision
from app.contract.repository import ModelVersion
from app.engines.buckets import batch_buckets
from app.engines.engine import InferenceEngine, Output


def prove(
    engine: InferenceEngine,
    found: ModelVersion,
    precision: Precision,
    max_batch_size: int,
    checkpoint: Callable[[], None],
) -> Mapping[Output, int]:
    """Warms an engine up and tests it.

    Args:
        engine: the engine.
        found: the model that it runs.
        precision: of the variant that it runs.
        max_batch_size: largest batch to warm.
        checkpoint: called between the runs; what it raises ends the proof.

    Returns:
        How many numbers each output has for one image.

    Raises:
        ConfigurationError: if it does not run, or computes something else.
    """
    size = found.manifest.input
    for batch in batch_buckets(max_batch_size):
        checkpoint()
        _run(engine, found, np.zeros((batch, size.height, size.width, 3), np.uint8), ["logits"])
    return _self_test(engine, found, precision, max_batch_size)


def _self_test(
    engine: InferenceEngine, found: ModelVersion, precision: Precision, max_batch_size: int
) -> Mapping[Output, int]:
    inputs, expected = found.golden()
    tolerance = found.manifest.golden.tolerance[precision]
    # In no larger batches than it will serve: ONNX Runtime keeps the memory of the largest. All
    # outputs: one that is missing would later fail every batch that somebody asks it of.
    batches = [
        _run(engine, found, inputs[start : start + max_batch_size], found.manifest.outputs)
        for start in range(0, len(inputs), max_batch_size)
    ]
    logits = np.concatenate([outputs["logits"] for outputs in batches])
    difference = float(np.abs(logits - expected).max()) if logits.shape == expected.shape else None
    # Written so that NaN, which compares false, is refused.
    if difference is None or not difference <= tolerance:
        raise ConfigurationError(
            "model_repository",
            f"the {precision} engine of {_name(found)} failed its self-test: logits differ by"
            f" {difference}, tolerance {tolerance:g}",
            "export the model again, or choose another --precision (SENET_PRECISION)",
        )
    return {name: values[0].size for name, values in batches[0].items()}


def _run(
    engine: InferenceEngine,
    found: ModelVersion,
    images: NDArray[np.uint8],
    outputs: Collection[Output],
) -> Mapping[Output, NDArray[np.float32]]:
    try:
        return engine.infer(images, outputs)
    except Exception as error:
        # ONNX Runtime's exceptions share no base class below Exception.
        raise ConfigurationError(
            "model_repository",
            f"{_name(found)} does not run on a batch of {len(images)}:"
            f" {' '.join(str(error).split())}",
            "export the model again, or lower --max-batch-size (SENET_MAX_BATCH_SIZE)",
        ) from error


def _name(found: ModelVersion) -> str:
    return f"{found.manifest.name}:{found.manifest.version}"
