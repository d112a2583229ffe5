"""The model repository, in the words of Triton's extension of the protocol."""

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeVar

from typing_extensions import TypedDict

from app.contract.errors import (
    ConfigurationError,
    InvalidParameter,
    LoadRefused,
    ModelNotFound,
    NotReady,
)
from app.inference.service import Service
from app.inference.table import VersionLabel
from app.selection.served_model import ServedModel

Found = TypeVar("Found")

_STABLE: VersionLabel = "stable"


class IndexEntry(TypedDict):
    """One version of a model in the repository."""

    name: str
    version: str
    state: str
    reason: str


class Repository:
    """What is in the model repository, and changes of what is loaded of it.

    Args:
        service: whose models they are.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self._repository = service.models.repository

    async def index(self, *, only_ready: bool) -> list[IndexEntry]:
        """All versions that there are, and where each stands.

        Args:
            only_ready: leaves out those that are not loaded.

        Raises:
            LoadRefused: if the repository cannot be read.
        """
        models = self._service.models
        table = self._service.models.table
        entries = {(host.model.name, host.model.version): ("READY", "") for host in table.hosts}
        if not only_ready:
            for host in models.leaving:
                entries[host.model.name, host.model.version] = ("UNLOADING", "")
            for name, version in await self._versions():
                entries.setdefault((name, version), self._state(name, version))
        return [
            IndexEntry(name=name, version=version, state=state, reason=reason)
            for (name, version), (state, reason) in entries.items()
        ]

    async def load(self, name: str, parameters: Mapping[str, Any], caller: str) -> None:
        """Loads a model's highest version, which then answers for it; returns when that is done.

        The version that has answered before is unloaded. If the highest version answers already,
        nothing is done.

        Args:
            name: of the model.
            parameters: of the request.
            caller: the name of the API key.

        Raises:
            InvalidParameter: if the model is to differ from what the repository holds.
            LoadRefused: if it is not there, or cannot be loaded.
            LoadConflict: if a version of it is being loaded.
        """
        if parameters:
            raise InvalidParameter(
                f"{min(parameters)[:64]}: models are loaded as they are in the repository"
            )
        models = self._service.models
        highest = await self._latest(name)
        if highest is None or (name, highest) not in models.table:
            job = await models.load(name, None, caller)
            await job.finish()
            highest = job.version
        before = models.table.routes[name].labels[_STABLE]
        if before != highest:
            models.set_label(name, _STABLE, highest, caller)
            models.unload(name, before, caller)

    async def unload(self, name: str, caller: str) -> None:
        """Unloads all versions of a model; returns once their last requests are answered.

        Args:
            name: of the model.
            caller: the name of the API key.

        Raises:
            ModelNotFound: if none is loaded.
        """
        models = self._service.models
        stable = models.table.find(name, _STABLE).model.version
        route = models.table.routes[name]
        if route.split:
            models.set_label(name, _STABLE, stable, caller)  # which ends the split
        others = [version for version in route.versions if version != stable]
        jobs = [models.unload(name, version, caller) for version in (*others, stable)]
        for job in jobs:
            await job.finish()

    def _state(self, name: str, version: str) -> tuple[str, str]:
        """Where a version stands that is not loaded."""
        for job in self._service.models.jobs.of(name):
            if (job.action, job.version) == ("load", version):
                if job.state == "running":
                    return "LOADING", ""
                return "UNAVAILABLE", str(job.error or "unloaded")
        return "UNAVAILABLE", ""

    async def _versions(self) -> list[tuple[str, str]]:
        def read() -> list[tuple[str, str]]:
            return [
                (name, str(version))
                for name in self._repository.names()
                for version in self._repository.versions(name)
            ]

        return await _read(read)

    async def _latest(self, name: str) -> str | None:
        latest = await _read(partial(self._repository.latest, name))
        return None if latest is None else str(latest)


async def _read(look: Callable[[], Found]) -> Found:
    try:
        return await asyncio.to_thread(look)
    except (ConfigurationError, OSError) as error:
        raise LoadRefused(f"the repository cannot be read: {error}") from error


def find_model(service: Service, name: str, version: str | None) -> ServedModel:
    """The model that metadata is asked of.

    Args:
        service: which serves it.
        name: of the model.
        version: or a label; without one the stable version speaks for those that share the
            model's requests.

    Raises:
        NotReady: if no model is loaded, or this one is being loaded.
        ModelNotFound: if it is not loaded.
    """
    try:
        return service.table.find(name, version or _STABLE).model
    except ModelNotFound:
        job = service.models.jobs.running(name, "load")
        if job is None or version not in (None, "", job.version):
            raise
        raise NotReady(f"{name}:{job.version} is being loaded") from None
