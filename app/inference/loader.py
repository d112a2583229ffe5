"""Versions in the repository become hosts: at the start, or beside those that serve."""

import asyncio
import logging
from collections.abc import Callable

from app.contract.errors import ConfigurationError, Draining, LoadRefused
from app.contract.manifest import Manifest
from app.engines.engine import Engines
from app.inference.host import ModelHost
from app.inference.hosting import Hosting
from app.inference.jobs import Job
from app.inference.table import ModelTable
from app.selection.configured import configured_models, configured_repository, load_configured
from app.selection.loading import LoadedModel
from app.selection.memory_left import MemoryLeft
from app.selection.proof import Step
from app.selection.served_model import ServedModel
from app.settings import Settings

logger = logging.getLogger(__name__)


class Loader:
    """Loads versions in a thread, and starts their hosts. For one event loop.

    Args:
        settings: the options.
        engines: loads inference engines.
        hosting: starts hosts.

    Attributes:
        repository: where versions are.
    """

    def __init__(self, settings: Settings, engines: Engines, hosting: Hosting) -> None:
        self._settings = settings
        self._engines = engines
        self._hosting = hosting
        self._is_stopped = False
        self.repository = configured_repository(settings)

    async def start(self) -> ModelTable:
        """Loads what the settings name.

        Raises:
            ConfigurationError: if any of it fails.
            Draining: if `stop` is called meanwhile.
        """
        names = await asyncio.to_thread(configured_models, self._settings, self.repository)
        table = ModelTable({}, names[0].partition(":")[0])
        for name in names:
            left = self._hosting.memory_left_at_start()
            loaded = await self._in_thread(name, lambda step: None, memory_left=left)
            if (loaded.model.name, loaded.model.version) in table:
                continue  # `name` and `name:version` may be the same
            table = table.with_host(self._hosting.open(loaded))
        self._hosting.take_stock()
        return table

    async def manifest(self, name: str, version: int | None) -> Manifest:
        """The manifest of a version; of the highest for None.

        Raises:
            LoadRefused: if the repository does not have it, or it is not valid.
        """
        try:
            return await asyncio.to_thread(self.repository.manifest, name, version)
        except ConfigurationError as error:
            refused = _refused("find", error)
        raise refused

    async def beside_others(self, job: Job, like: ServedModel | None) -> ModelHost:
        """Loads a version while others serve.

        Args:
            job: names the version; gets the steps.
            like: another version of the model, which serves.

        Raises:
            LoadRefused: if a step fails.
            Draining: if `stop` is called meanwhile.
        """

        def note(step: Step) -> None:
            job.step = step

        try:
            loaded = await self._in_thread(
                f"{job.model}:{job.version}",
                note,
                memory_left=self._hosting.memory_left(),
                like=like,
                measures=False,
            )
            host = self._hosting.open(loaded)
            await self._hosting.share_memory_or_close(host)
        except ConfigurationError as error:
            refused = _refused(job.step, error)
        except Draining:
            raise
        except Exception:
            logger.exception("unexpected error")
            refused = LoadRefused(f"{job.step}: an unexpected error; it is in the log")
        else:
            return host
        raise refused  # here, where it has no context that would keep an engine in memory

    def stop(self) -> None:
        """Ends what is being loaded."""
        self._is_stopped = True
        self.repository.close()

    async def _in_thread(
        self,
        model: str,
        on_step: Callable[[Step], None],
        *,
        memory_left: MemoryLeft | None,
        like: ServedModel | None = None,
        measures: bool = True,
    ) -> LoadedModel:
        def checkpoint(step: Step) -> None:
            # Nothing else ends the thread, for which the process would wait.
            if self._is_stopped:
                raise Draining("the service is shutting down")
            on_step(step)

        return await asyncio.to_thread(
            load_configured,
            self._settings,
            self._engines,
            model,
            repository=self.repository,
            memory_left=memory_left,
            like=like,
            measures=measures,
            checkpoint=checkpoint,
        )


def _refused(step: str, error: ConfigurationError) -> LoadRefused:
    return LoadRefused(f"{step}: {error.cause}; {error.remedy}")
