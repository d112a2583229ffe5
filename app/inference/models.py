"""Which models serve, and how that changes while they do."""

import asyncio
import logging
from collections.abc import Callable, Mapping

from app.contract.errors import LoadConflict, LoadRefused
from app.inference.host import ModelHost
from app.inference.hosting import Hosting
from app.inference.jobs import Action, Job, Jobs
from app.inference.loader import Loader
from app.inference.shadow import Shadow
from app.inference.table import ModelTable, VersionLabel

logger = logging.getLogger(__name__)


class Models:
    """Loads and unloads versions, and says which of them answers. For one event loop.

    Every adapter that lets its clients load and unload calls the same four methods:

        job = await models.load("flowers", 2, caller)   # LoadRefused, LoadConflict
        await job.finish()                              # raises LoadRefused if a step failed
        models.set_label("flowers", "stable", "2", caller)
        job = models.unload("flowers", "1", caller)     # ModelNotFound, LoadConflict
        await job.finish()                              # its last request is answered, it is gone

    All raise `NotReady` or `Draining` where the service is not serving. `caller` is the name of
    the API key, which must have the scope `admin`; it is logged. What serves goes on serving,
    whatever fails.

    Args:
        loader: loads versions.
        hosting: ends hosts.
        shadow: makes one that tries a host on so many requests in a hundred.
        check: raises if nothing may be changed now.
        on_change: called when another table is in force.

    Attributes:
        table: what is served now.
        jobs: what is being changed, and was.
        leaving: hosts that answer their last requests.
        shadows: by model, what classifies too what is answered.
        repository: where versions are.
    """

    def __init__(
        self,
        loader: Loader,
        hosting: Hosting,
        *,
        shadow: Callable[[ModelHost, int], Shadow],
        check: Callable[[], None],
        on_change: Callable[[], None],
    ) -> None:
        self._loader = loader
        self._hosting = hosting
        self._shadow = shadow
        self._check = check
        self._on_change = on_change
        # Two at once would both count on the memory that is left.
        self._loading = asyncio.Lock()
        self.table = ModelTable({}, "")
        self.repository = loader.repository
        self.jobs = Jobs()
        self.leaving: list[ModelHost] = []
        self.shadows: dict[str, Shadow] = {}

    async def start(self) -> None:
        """Loads what the settings name.

        Raises:
            ConfigurationError: if any of it fails.
            Draining: if the service stops meanwhile.
        """
        self.table = await self._loader.start()

    async def load(self, name: str, version: int | None, caller: str) -> Job:
        """Begins to load a version; once it is ready it answers those that ask for it.

        The first version of a model that is loaded is its stable one.

        Args:
            name: of the model.
            version: None for the highest in the repository.
            caller: the name of the API key.

        Raises:
            LoadRefused: if the repository does not have it, or its manifest is not valid.
            LoadConflict: if it is loaded already, or a version of the model is being loaded.
        """
        self._check()
        try:
            found = await self._loader.manifest(name, version)
        except LoadRefused as refused:
            _log("load", caller, name, "" if version is None else str(version), refused)
            raise
        self._check()
        number = str(found.version)
        if job := self.jobs.running(name, "load"):
            raise LoadConflict(f"{name}:{job.version} is being loaded")
        if (name, number) in self.table:
            raise LoadConflict(f"{name}:{number} is loaded")
        if any((host.model.name, host.model.version) == (name, number) for host in self.leaving):
            raise LoadConflict(f"{name}:{number} is being unloaded")
        return self.jobs.begin("load", name, number, caller, self._load)

    def unload(self, name: str, version: str, caller: str) -> Job:
        """Takes a version out of service; the job ends when its last request is answered.

        Raises:
            ModelNotFound: if it is not loaded.
            LoadConflict: if requests go to it that another version would have to answer.
        """
        self._check()
        host = self.table.find(name, version)
        table = self.table.without(name, host.model.version)
        return self._unload(host, table, caller)

    def set_label(self, name: str, label: VersionLabel, version: str, caller: str) -> Job:
        """Lets a label point to another version that is ready, from the next request on.

        Where `stable` points, all requests go that are for no version: that ends a split.

        Raises:
            ModelNotFound: if the model is not loaded.
            LoadConflict: if the version is not ready.
        """
        self._check()
        table = self.table.with_label(name, label, version)
        return self._redirect(table, "label", name, version, caller, f"label {label}")

    def set_split(self, name: str, split: Mapping[str, int], caller: str) -> Job:
        """Divides the requests that are for no version, from the next one on.

        Args:
            name: of the model.
            split: how many in a hundred each version answers; they sum to 100.
            caller: the name of the API key.

        Raises:
            ModelNotFound: if the model is not loaded.
            LoadConflict: if one of the versions is not ready.
        """
        self._check()
        told = ", ".join(f"{version}: {weight}" for version, weight in split.items())
        return self._redirect(self.table.with_split(name, split), "split", name, told, caller)

    def set_shadow(self, name: str, version: str, share: int, caller: str) -> Job:
        """Lets a version classify too what others of its model answer, and counts where they agree.

        Args:
            name: of the model.
            version: the version that is tried.
            share: how many requests in a hundred it sees; 0 ends it.
            caller: the name of the API key.

        Raises:
            ModelNotFound: if the model is not loaded.
            LoadConflict: if the version is not ready.
        """
        self._check()
        table = self.table.with_shadow(name, version, share)
        return self._redirect(table, "shadow", name, f"{version}: {share}", caller)

    async def stop(self) -> None:
        """Ends what is being changed."""
        self._loader.stop()
        await self.jobs.stop()

    async def _load(self, job: Job) -> None:
        async with self._loading:
            route = self.table.routes.get(job.model)
            try:
                host = await self._loader.beside_others(job, route.stable.model if route else None)
            except LoadRefused as refused:
                _log("load", job.caller, job.model, job.version, refused)
                raise
            _log("load", job.caller, job.model, job.version)
            self._switch(self.table.with_host(host))

    def _unload(self, host: ModelHost, table: ModelTable, caller: str) -> Job:
        name, version = host.model.name, host.model.version
        self._switch(table)
        self.leaving.append(host)
        _log("unload", caller, name, version)
        return self.jobs.begin("unload", name, version, caller, lambda job: self._close(host))

    async def _close(self, host: ModelHost) -> None:
        await self._hosting.close(host)
        self.leaving.remove(host)

    def _redirect(
        self,
        table: ModelTable,
        action: Action,
        name: str,
        version: str,
        caller: str,
        logged: str | None = None,
    ) -> Job:
        self._switch(table)
        _log(logged or action, caller, name, version)
        return self.jobs.note(action, name, version, caller)

    def _switch(self, table: ModelTable) -> None:
        self.table = table
        shadows = {}
        for name, route in table.routes.items():
            for version, share in route.shadow.items():
                old, candidate = self.shadows.get(name), route.versions[version]
                is_same = old and (old.candidate, old.share) == (candidate, share)
                shadows[name] = old if old and is_same else self._shadow(candidate, share)
        self.shadows = shadows
        self._on_change()


def _log(
    action: str, caller: str, model: str, version: str, failure: LoadRefused | None = None
) -> None:
    """The line in the log that each change of what is served leaves."""
    fields = {"action": action, "caller": caller, "model": model, "version": version}
    if failure is None:
        logger.info("models changed", extra=fields)
    else:
        logger.warning("models not changed: %s", failure, extra=fields)
