"""The service's life: loading, ready, draining, failed."""

import asyncio
import enum
import logging
from collections.abc import Callable

from app.contract.errors import Draining, NotReady, Unavailable
from app.engines.engine import Engines
from app.hardware import memory_limit_bytes
from app.inference.admission import Admission, Caller
from app.inference.classification import ClassifyOptions
from app.inference.host import ModelHost
from app.inference.hosting import Hosting
from app.inference.loader import Loader
from app.inference.memory import Memory
from app.inference.models import Models
from app.inference.poll import RepositoryPoll
from app.inference.shadow import Shadow
from app.inference.table import ModelTable
from app.inference.visit import Visit
from app.settings import Settings
from app.telemetry.metrics import Metrics
from app.telemetry.tracing import Tracing

logger = logging.getLogger(__name__)


class State(enum.Enum):
    """Where the service stands in its life."""

    STARTING = enum.auto()
    READY = enum.auto()
    DRAINING = enum.auto()
    FAILED = enum.auto()


class Service:
    """Loads the models in the background, and lets requests visit it while it is ready.

    Args:
        settings: the options.
        engines: loads inference engines.
        metrics: the series.
        tracing: records the stages of requests.
        on_ready: called once when the models are loaded and served.
        on_failure: called once when loading fails or an engine hangs.
    """

    def __init__(
        self,
        settings: Settings,
        engines: Engines,
        metrics: Metrics,
        tracing: Tracing,
        *,
        on_ready: Callable[[], None],
        on_failure: Callable[[BaseException], None],
    ) -> None:
        self._metrics = metrics
        self._on_ready = on_ready
        self._on_failure = on_failure
        self._admission = Admission(settings.max_queue_size, metrics)
        self._state = State.STARTING
        self._loading: asyncio.Task[None] | None = None
        self._polling: asyncio.Task[None] | None = None
        self._settings = settings
        self._hosting = Hosting(
            settings, metrics, tracing, self._fail, limit_bytes=memory_limit_bytes()
        )
        self._request_seconds = settings.request_timeout_ms / 1000
        self.models = Models(
            Loader(settings, engines, self._hosting),
            self._hosting,
            shadow=self._make_shadow,
            check=self._check_ready,
            on_change=self._tell_readiness,
        )
        """Loads and unloads models, and says which of them answers."""

    @property
    def state(self) -> State:
        """Where the service stands."""
        return self._state

    @property
    def memory(self) -> Memory:
        """What requests may hold."""
        return self._hosting.memory

    @property
    def table(self) -> ModelTable:
        """The models that are served.

        Raises:
            NotReady: while loading, after a failure, and while no model is loaded.
            Draining: while shutting down.
        """
        self._check_ready()
        table = self.models.table
        if not table.routes:
            raise NotReady("no model is loaded")
        return table

    @property
    def hosts(self) -> list[ModelHost]:
        """Those that serve, the default model's first; none while no model is loaded.

        Raises:
            NotReady: while loading, and after a failure.
            Draining: while shutting down.
        """
        self._check_ready()
        return self.models.table.hosts

    def check_serving(self) -> None:
        """Raises what `table` raises."""
        _ = self.table

    def start(self) -> None:
        """Begins to load the models; `state` tells when they are ready."""
        self._hosting.start()
        self._loading = asyncio.create_task(self._load())

    def visit(
        self,
        caller: Caller,
        address: str,
        options: ClassifyOptions,
        deadline: float,
        *,
        model: str | None,
        version: str | None,
    ) -> Visit:
        """Lets a request in, by its head.

        Args:
            caller: who sends it.
            address: of its client.
            options: what it asks for.
            deadline: when the answer is due, on the monotonic clock in seconds.
            model: the model's name; None for the default.
            version: its version or a label; None for whichever is served.

        Raises:
            Unavailable: if the service is not ready, or at capacity.
            ModelNotFound: if only other models or versions are served.
        """
        if self._state is not State.READY:
            self._check_ready()
        host = self.models.table.find(model, version)
        self._admission.expect(caller)
        host.lease()
        visit = Visit(
            caller,
            address,
            options,
            host,
            deadline,
            admission=self._admission,
            memory=self._hosting.memory,
        )
        if self.models.shadows:
            shadow = self.models.shadows.get(host.model.name)
            if shadow is not None and shadow.wants(host):
                visit.shadow = shadow
        return visit

    async def drain(self) -> None:
        """Turns readiness off, then waits until every admitted image is answered."""
        if self._state is not State.FAILED:
            self._state = State.DRAINING
            self._admission.close(_draining)
        self._metrics.ready.set(0)
        await self._admission.wait_empty()

    async def stop(self) -> None:
        """Releases threads and engine. Images still queued are answered with an error."""
        if self._polling is not None:
            self._polling.cancel()
            await asyncio.gather(self._polling, return_exceptions=True)
        await self.models.stop()
        if self._loading is not None:
            self._loading.cancel()
            await asyncio.gather(self._loading, return_exceptions=True)
        await self._hosting.stop()

    async def _load(self) -> None:
        try:
            await self.models.start()
        except Draining:
            return
        except Exception as error:  # noqa: BLE001 - whatever it is, the service cannot start
            self._fail(error)
            return
        if self._state is State.STARTING:
            self._on_ready()
            self._state = State.READY
            self._tell_readiness()
            if self._settings.repository_poll_seconds:
                self._polling = asyncio.create_task(self._poll().run())
            for host in self.models.table.hosts:
                model = host.model
                logger.info(
                    "ready: %s:%s, %s on %s",
                    model.name, model.version, model.variant.precision, model.provider,
                )  # fmt: skip

    def _make_shadow(self, candidate: ModelHost, share: int) -> Shadow:
        return Shadow(
            candidate,
            share,
            self._admission,
            self._hosting.memory,
            self._metrics,
            timeout_seconds=self._request_seconds,
        )

    def _poll(self) -> RepositoryPoll:
        settings = self._settings
        names = [settings.model, *settings.models] if settings.models else [settings.model]
        return RepositoryPoll(
            self.models,
            self.models.repository,
            settings.repository_poll_seconds,
            frozenset(name.partition(":")[0] for name in names if ":" in name),
        )

    def _check_ready(self) -> None:
        if self._state is State.DRAINING:
            raise _draining()
        if self._state is State.FAILED:
            raise _failed()
        if self._state is State.STARTING:
            raise NotReady("the model is being loaded")

    def _tell_readiness(self) -> None:
        is_ready = self._state is State.READY and bool(self.models.table.routes)
        self._metrics.ready.set(is_ready)

    def _fail(self, error: BaseException) -> None:
        self._state = State.FAILED
        self._admission.close(_failed)
        self._metrics.ready.set(0)
        self._on_failure(error)


def _draining() -> Unavailable:
    return Draining("the service is shutting down")


def _failed() -> Unavailable:
    return NotReady("the service has failed and is about to be replaced")
