"""A loaded engine proves itself before it serves: every batch size runs, golden answers match."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from app.contract.errors import ConfigurationError
from app.contract.manifest import Precision
from app.contract.repository import ModelVersion
from app.contract.signature import Signature, describe
from app.engines.buckets import batch_buckets
from app.engines.engine import Engine, Slot

Step = Literal["find", "copy", "verify", "load", "warm", "self-test"]
"""What is done to a model before it serves, in this order."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What an engine has shown.

    Attributes:
        signature: the model's, with every size.
        difference: largest absolute difference of a logit from the golden ones.
    """

    signature: Signature
    difference: float


def prove(
    engine: Engine,
    found: ModelVersion,
    precision: Precision,
    max_batch_size: int,
    checkpoint: Callable[[Step], None],
) -> Proof:
    """Warms an engine up and tests it.

    Args:
        engine: the engine.
        found: the model that it runs.
        precision: of the variant that it runs.
        max_batch_size: largest batch to warm.
        checkpoint: called before each run; what it raises ends the proof.

    Raises:
        ConfigurationError: if it does not run, or computes something else.
    """
    slot = engine.open_slots()[0]
    size = found.manifest.input
    black = np.zeros((size.height, size.width, 3), np.uint8)
    for batch in batch_buckets(max_batch_size):
        checkpoint("warm")
        _run(slot, found, [black] * batch, [found.manifest.signature.logits.name])
    checkpoint("self-test")
    if lone := engine.open_lone_slot():
        # It runs the same file. Beside engines that serve, this thread waits for a core, and the
        # lone slot's others meanwhile spin on one (docs/decisions/025).
        _self_test(lone, found, precision, 1, most_images=1)
    return _self_test(slot, found, precision, max_batch_size)


def _self_test(
    slot: Slot,
    found: ModelVersion,
    precision: Precision,
    max_batch_size: int,
    most_images: int | None = None,
) -> Proof:
    signature = found.manifest.signature
    inputs, expected = (array[:most_images] for array in found.golden())
    images = list(inputs)
    tolerance = found.manifest.golden.tolerance[precision]
    # In no larger batches than it will serve: ONNX Runtime keeps the memory of the largest. All
    # outputs: one that is missing would later fail every batch that somebody asks it of.
    names = [output.name for output in signature.outputs]
    batches = [
        _run(slot, found, images[start : start + max_batch_size], names)
        for start in range(0, len(images), max_batch_size)
    ]
    logits = np.concatenate([outputs[signature.logits.name] for outputs in batches])
    difference = float(np.abs(logits - expected).max()) if logits.shape == expected.shape else None
    # Written so that NaN, which compares false, is refused.
    if difference is None or not difference <= tolerance:
        raise ConfigurationError(
            "model_repository",
            f"the {precision} engine of {_name(found)} failed its self-test: logits differ by"
            f" {difference}, tolerance {tolerance:g}",
            "export the model again, or choose another --precision (SENET_PRECISION)",
        )
    for output in signature.outputs:
        real = batches[0][output.name]
        if not output.fits(real.shape):
            raise ConfigurationError(
                "model_repository",
                f"the {precision} engine of {_name(found)} failed its self-test: it gives"
                f" {output.name} as {describe(str(real.dtype), real.shape)}, its signature says"
                f" {output}",
                "export the model again, or correct the signature in its manifest",
            )
    complete = signature.completed({name: batches[0][name].shape for name in names})
    return Proof(complete, difference)


def _run(
    slot: Slot,
    found: ModelVersion,
    images: Sequence[NDArray[np.uint8]],
    outputs: Collection[str],
) -> Mapping[str, NDArray[np.float32]]:
    try:
        return slot.run(images, outputs)
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
