"""New versions that appear in the repository come into service by themselves."""

import asyncio
import logging

from app.contract.errors import ConfigurationError, RequestError
from app.contract.repository import ModelRepository
from app.inference.models import Models
from app.inference.table import Route

logger = logging.getLogger(__name__)

CALLER = "repository_poll"
"""Who asks for these changes, in the log."""


class RepositoryPoll:
    """Loads each model's highest version, makes it stable, and unloads the one before.

    It leaves alone what an operator is trying: a model with a split, a shadow or a canary. A
    version that is lower than one that serves is never taken, and one that fails is tried again
    when its files have changed.

    Args:
        models: what serves.
        repository: where versions appear.
        seconds: from one look to the next.
        pinned: names of models whose version the settings name.
    """

    def __init__(
        self,
        models: Models,
        repository: ModelRepository,
        seconds: float,
        pinned: frozenset[str],
    ) -> None:
        self._models = models
        self._repository = repository
        self._seconds = seconds
        self._pinned = pinned
        self._failed: dict[str, tuple[object, ...]] = {}
        self._told = ""

    async def run(self) -> None:
        """Looks again and again, until it is cancelled."""
        while True:
            await asyncio.sleep(self._seconds)
            await self.look()

    async def look(self) -> None:
        """Looks once."""
        for name, route in self._models.table.routes.items():
            if name in self._pinned or route.split or route.shadow or "canary" in route.labels:
                continue
            try:
                await self._update(name, route)
            except (ConfigurationError, OSError) as error:
                if str(error) != self._told:  # once, not at each look
                    logger.warning("the repository cannot be looked through: %s", error)
                self._told = str(error)
            except RequestError:
                pass  # whoever refused it has said so in the log

    async def _update(self, name: str, route: Route) -> None:
        versions = await asyncio.to_thread(self._repository.versions, name)
        newest = versions[-1] if versions else 0
        if newest <= max(map(int, route.versions)):
            return
        stamp = await asyncio.to_thread(self._repository.stamp, name, newest)
        if self._failed.get(name) == stamp:
            return
        try:
            job = await self._models.load(name, newest, CALLER)
            await job.finish()
        except RequestError:
            self._failed[name] = stamp
            raise
        old = self._models.table.routes[name].labels["stable"]
        self._models.set_label(name, "stable", str(newest), CALLER)
        if old != str(newest):
            self._models.unload(name, old, CALLER)
