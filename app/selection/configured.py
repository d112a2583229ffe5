"""The models that the settings name, loaded for this machine."""

from collections.abc import Callable

from app.contract.errors import ConfigurationError
from app.contract.repository import ModelRepository, Repository
from app.engines.engine import Engines
from app.hardware import available_cores, memory_limit_bytes
from app.remote.copies import Copies, cache_folder
from app.remote.repository import RemoteRepository
from app.remote.store import open_store
from app.selection.cache import choice_cache, user_cache_directory
from app.selection.loading import LoadedModel, load_model
from app.selection.memory_left import MemoryLeft, memory_left_at_start
from app.selection.proof import Step
from app.selection.served_model import ServedModel
from app.settings import Settings

ALL = "all"
"""Stands for every model of the repository, each in its highest version."""


def configured_repository(settings: Settings) -> Repository:
    """The repository of the settings, here or elsewhere.

    Raises:
        ConfigurationError: if it is elsewhere, and there is no folder to copy to.
    """
    if not isinstance(settings.model_repository, str):
        return ModelRepository(settings.model_repository)
    folder = cache_folder(settings.cache_directory or user_cache_directory())
    return RemoteRepository(open_store(settings.model_repository), Copies(folder))


def configured_models(settings: Settings, repository: Repository) -> list[str]:
    """The models to serve from the start, each `name` or `name:version`, the default first.

    Args:
        settings: `model` goes before `models` if it is set.
        repository: what `all` stands for.

    Raises:
        ConfigurationError: if `all` stands for nothing.
    """
    if not settings.models:
        return [settings.model]
    chosen = list(settings.models)
    if ALL in chosen:
        chosen = repository.names()
        if not chosen:
            raise ConfigurationError(
                "models",
                "the repository holds no model",
                "export one, or set --model-repository (SENET_MODEL_REPOSITORY)",
            )
    is_named = "model" in settings.model_fields_set
    if is_named or (ALL in settings.models and settings.model in chosen):
        chosen.insert(0, settings.model)
    return list(dict.fromkeys(chosen))


def load_configured(
    settings: Settings,
    engines: Engines,
    model: str | None = None,
    *,
    repository: Repository | None = None,
    memory_left: MemoryLeft | None = None,
    like: ServedModel | None = None,
    measures: bool = True,
    checkpoint: Callable[[Step], None] = lambda step: None,
) -> LoadedModel:
    """`load_model` with what the settings say, on what this machine gives.

    Args:
        settings: the options.
        engines: loads inference engines.
        model: `name` or `name:version`; by default the setting.
        repository: by default the setting's.
        memory_left: see `load_model`.
        like: likewise.
        measures: likewise.
        checkpoint: likewise.

    Raises:
        ConfigurationError: see `load_model`.
    """
    return load_model(
        repository or configured_repository(settings),
        engines,
        model=model or settings.model,
        precision=settings.precision,
        max_batch_size=settings.max_batch_size,
        cores=available_cores(),
        inference_threads=settings.inference_threads,
        max_accuracy_drop=settings.max_accuracy_drop,
        cache=choice_cache(settings.cache_directory),
        memory_left=memory_left or memory_left_at_start(memory_limit_bytes()),
        like=like,
        measures=measures,
        checkpoint=checkpoint,
    )
