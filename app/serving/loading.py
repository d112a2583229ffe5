"""From a repository to a verified, warmed and self-tested engine."""

import logging
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from app.engines.engine import InferenceEngine, InferenceEngines, Layout, Output, Provider
from app.errors import ConfigurationError
from app.repository.manifest import Precision
from app.repository.models import ModelRepository, ModelVersion, select_variant
from app.serving.classifier import ServedModel

logger = logging.getLogger(__name__)

# Measured: 82 MiB for the service itself; weights in ONNX Runtime take three times their file's
# size while they are laid out (SE-ResNet-50, fp32: a file of 107 MiB, 415 MiB in all).
_SERVICE_BYTES = 80 * 2**20
_BYTES_PER_MODEL_BYTE = 3


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
    cores: int,
    inference_threads: int = 0,
    memory_limit_bytes: int | None = None,
    checkpoint: Callable[[], None] = lambda: None,
) -> LoadedModel:
    """Finds, verifies, loads, warms and self-tests a model. Blocks for as long as that takes.

    Args:
        repository: where to find the model.
        engines: loads it.
        model: `name` or `name:version`.
        precision: the setting.
        max_batch_size: largest batch to warm.
        cores: cores that inference may use.
        inference_threads: threads of one run on the CPU; 0 for all cores.
        memory_limit_bytes: the container's limit; a model that cannot fit on the CPU is refused.
        checkpoint: called between the steps; what it raises ends the loading.

    Raises:
        ConfigurationError: if any of it fails; the message names the option and the remedy.
    """
    name, _, version = model.partition(":")
    found = repository.find(name, int(version) if version else None)
    threads = min(inference_threads or cores, cores)
    layout = Layout(threads, cores // threads)
    loaded = _load(found, engines, precision, layout, memory_limit_bytes)
    _warm_up(loaded, max_batch_size, checkpoint)
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
    found: ModelVersion,
    engines: InferenceEngines,
    precision: Literal["auto"] | Precision,
    layout: Layout,
    memory_limit_bytes: int | None,
) -> LoadedModel:
    providers = engines.providers()
    for provider in providers[:-1]:
        try:
            return _load_on(provider, found, engines, precision, layout, memory_limit_bytes)
        except ConfigurationError as error:
            if error.option != "provider":
                raise
            logger.warning("provider %s skipped: %s", provider, error.cause)
    return _load_on(providers[-1], found, engines, precision, layout, memory_limit_bytes)


def _load_on(
    provider: Provider,
    found: ModelVersion,
    engines: InferenceEngines,
    precision: Literal["auto"] | Precision,
    layout: Layout,
    memory_limit_bytes: int | None,
) -> LoadedModel:
    variant = select_variant(precision, provider, found.manifest)
    file = found.verified_file(variant)
    if provider == "cpu" and memory_limit_bytes is not None:
        _check_memory(file, memory_limit_bytes)
    engine = engines.load(file, provider, layout if provider == "cpu" else Layout(1, 1))
    return LoadedModel(ServedModel(found.manifest, variant, provider), engine)


def _check_memory(file: Path, limit: int) -> None:
    """Refuses in words what the kernel would end without one."""
    needed = _SERVICE_BYTES + _BYTES_PER_MODEL_BYTE * file.stat().st_size
    if needed > limit:
        raise ConfigurationError(
            "model",
            f"{file} needs at least {needed / 2**20:.0f} MiB of memory, the container's limit is"
            f" {limit / 2**20:.0f} MiB",
            "raise the limit, or serve a smaller --precision or --model (SENET_PRECISION,"
            " SENET_MODEL)",
        )


def _warm_up(loaded: LoadedModel, max_batch_size: int, checkpoint: Callable[[], None]) -> None:
    size = loaded.model.manifest.input
    for batch in batch_buckets(max_batch_size):
        checkpoint()
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
