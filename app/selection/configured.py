"""The model that the settings name, loaded for this machine."""

from collections.abc import Callable

from app.contract.repository import ModelRepository
from app.engines.engine import Engines
from app.hardware import available_cores, memory_limit_bytes
from app.selection.cache import choice_cache
from app.selection.loading import LoadedModel, load_model
from app.settings import Settings


def load_configured(
    settings: Settings, engines: Engines, checkpoint: Callable[[], None] = lambda: None
) -> LoadedModel:
    """`load_model` with what the settings say, on what this machine gives."""
    return load_model(
        ModelRepository(settings.model_repository),
        engines,
        model=settings.model,
        precision=settings.precision,
        max_batch_size=settings.max_batch_size,
        cores=available_cores(),
        inference_threads=settings.inference_threads,
        max_accuracy_drop=settings.max_accuracy_drop,
        cache=choice_cache(settings.cache_directory),
        memory_limit_bytes=memory_limit_bytes(),
        checkpoint=checkpoint,
    )
