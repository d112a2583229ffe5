"""From a repository to a verified, warmed and self-tested engine."""

import logging
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from app.engines.engine import InferenceEngine, InferenceEngines, Output, Provider
from app.errors import ConfigurationError
from app.repository.manifest import Precision
from app.repository.models import ModelRepository, ModelVersion, select_variant
from app.serving.classifier import ServedModel

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """An engine that has proved itself, and what it serves."""

    model: ServedModel
    engine: InferenceEngine


def load_model(
    repository: ModelRepository,
    engines: InferenceEngines,
    *,
    model: str,
    precision: Literal["auto"] | Precision,
    max_batch_size: int,
) -> LoadedModel:
    """Finds, verifies, loads, warms and self-tests a model. Blocks for as long as that takes.

    Args:
        repository: where to find the model.
        engines: loads it.
        model: `name` or `name:version`.
        precision: the setting.
        max_batch_size: largest batch to warm.

    Raises:
        ConfigurationError: if any of it fails; the message names the option and the remedy.
    """
    name, _, version = model.partition(":")
    found = repository.find(name, int(version) if version else None)
    loaded = _load(found, engines, precision)
    _warm_up(loaded, max_batch_size)
    _self_test(loaded, found)
    return loaded


def batch_buckets(max_batch_size: int) -> Iterator[int]:
    """The batch sizes to warm: powers of two below the largest, and the largest."""
    size = 1
    while size < max_batch_size:
        yield size
        size *= 2
    yield max_batch_size


def _load(
    found: ModelVersion, engines: InferenceEngines, precision: Literal["auto"] | Precision
) -> LoadedModel:
    providers = engines.providers()
    for provider in providers[:-1]:
        try:
            return _load_on(provider, found, engines, precision)
        except ConfigurationError as error:
            if error.option != "provider":
                raise
            logger.warning("provider %s skipped: %s", provider, error.cause)
    return _load_on(providers[-1], found, engines, precision)


def _load_on(
    provider: Provider,
    found: ModelVersion,
    engines: InferenceEngines,
    precision: Literal["auto"] | Precision,
) -> LoadedModel:
    variant = select_variant(precision, provider, found.manifest)
    engine = engines.load(found.verified_file(variant), provider)
    return LoadedModel(ServedModel(found.manifest, variant, provider), engine)


def _warm_up(loaded: LoadedModel, max_batch_size: int) -> None:
    size = loaded.model.manifest.input
    for batch in batch_buckets(max_batch_size):
        _run(loaded, np.zeros((batch, size.height, size.width, 3), np.uint8), ["logits"])


def _self_test(loaded: LoadedModel, found: ModelVersion) -> None:
    inputs, expected = found.golden()
    precision = loaded.model.variant.precision
    tolerance = found.manifest.golden.tolerance[precision]
    # All outputs: one that is missing would later fail every batch that somebody asks it of.
    logits = _run(loaded, inputs, ["logits", "embedding", "cam"])["logits"]
    difference = float(np.abs(logits - expected).max()) if logits.shape == expected.shape else None
    # Written so that NaN, which compares false, is refused.
    if difference is None or not difference <= tolerance:
        raise ConfigurationError(
            "model_repository",
            f"the {precision} engine of {loaded.model.name}:{loaded.model.version} failed its"
            f" self-test: logits differ by {difference}, tolerance {tolerance:g}",
            "export the model again, or choose another --precision (SENET_PRECISION)",
        )


def _run(
    loaded: LoadedModel, images: NDArray[np.uint8], outputs: Collection[Output]
) -> Mapping[Output, NDArray[np.float32]]:
    try:
        return loaded.engine.infer(images, outputs)
    except Exception as error:
        # ONNX Runtime's exceptions share no base class below Exception.
        raise ConfigurationError(
            "model_repository",
            f"{loaded.model.name}:{loaded.model.version} does not run on a batch of {len(images)}:"
            f" {' '.join(str(error).split())}",
            "export the model again, or lower --max-batch-size (SENET_MAX_BATCH_SIZE)",
        ) from error
