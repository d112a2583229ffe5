"""New versions that appear in the repository come into service by themselves."""

import asyncio
import logging

from app.contract.errors import ConfigurationError, LoadRefused, RequestError
from app.contract.repository import Repository
from app.inference.models import Models
from app.inference.table import Route

logger = logging.getLogger(__name__)

CALLER = "repository_poll"
"""Who asks for these changes, in the log."""


class RepositoryPoll:
    """Loads each model's highest version, makes it stable, and unloads the one before.

    It leaves alone what an operator is trying: a model with a split, a shadow or a canary. A
    version is taken once: one that was unloaded again is not brought back, nor is a lower one. One
    that is refused is tried again when its files have changed.

    Args:
        models: what serves.
        repository: where versions appear.
        seconds: from one look to the next.
        pinned: names of models whose version the settings name.
    """

    def __init__(
        self,
        models: Models,
        repository: Repository,
        seconds: float,
        pinned: frozenset[str],
    ) -> None:
        self._models = models
        self._repository = repository
        self._seconds = seconds
        self._pinned = pinned
        self._failed: dict[str, tuple[object, ...]] = {}
        self._highest: dict[str, int] = {}
        self._told = ""

    async def run(self) -> None:
        """Looks again and again, until it is cancelled."""
        while True:
            await asyncio.sleep(self._seconds)
            try:
                await self.look()
            except Exception:
                logger.exception("unexpected error; the repository will be searched again")

    async def look(self) -> None:
        """Looks once."""
        for name in self._models.table.routes:
            try:
                await self._update(name)
            except (ConfigurationError, OSError) as error:
                if str(error) != self._told:  # once, not at each look
                    logger.warning("the repository cannot be searched: %s", error)
                self._told = str(error)
            except RequestError as error:
                logger.info("%s will be looked for again: %s", name, error)

    def _route(self, name: str) -> Route | None:
        """The model's, unless it is gone or an operator is trying something."""
        route = self._models.table.routes.get(name)
        is_tried = route and (route.split or route.shadow or "canary" in route.labels)
        return None if name in self._pinned or is_tried else route

    async def _update(self, name: str) -> None:
        route = self._route(name)
        if route is None:
            return
        # What was taken once and is gone was unloaded by somebody.
        highest = max(self._highest.get(name, 0), *map(int, route.versions))
        self._highest[name] = highest
        newest = await asyncio.to_thread(self._repository.latest, name)
        if newest is None or newest <= highest:
            return
        stamp = await asyncio.to_thread(self._repository.stamp, name, newest)
        if self._failed.get(name) == stamp:
            return
        try:
            job = await self._models.load(name, newest, CALLER)
            await job.finish()
        except LoadRefused:
            self._failed[name] = stamp  # it has been logged by whoever refused it
            return
        self._highest[name] = newest
        old, route = route.labels["stable"], self._route(name)
        if route is None or route.labels["stable"] != old:
            return  # while it was loaded, somebody decided otherwise
        self._models.set_label(name, "stable", str(newest), CALLER)
        if old != str(newest):
            self._models.unload(name, old, CALLER)
