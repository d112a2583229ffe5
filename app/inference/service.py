"""The service's life: loading, ready, draining, failed."""

import asyncio
import enum
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

from app.contract.errors import Draining, NotReady, Unavailable
from app.engines.engine import Engines
from app.hardware import available_cores, memory_limit_bytes, resident_bytes
from app.inference.admission import Admission, Caller
from app.inference.budget import Budget
from app.inference.classification import ClassifyOptions
from app.inference.host import ModelHost
from app.inference.memory import Memory
from app.inference.observer import MetricsObserver
from app.inference.table import ModelTable
from app.inference.visit import Visit
from app.selection.configured import load_configured
from app.selection.loading import LoadedModel
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


@dataclass(frozen=True, slots=True)
class _Opened:
    """What is there once the model is loaded."""

    table: ModelTable
    memory: Memory


class Service:
    """Loads the model in the background, and lets requests visit it while it is ready.

    Args:
        settings: the options.
        engines: loads inference engines.
        metrics: the series.
        tracing: records the stages of requests.
        on_ready: called once when the model is loaded and served.
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
        self._settings = settings
        self._engines = engines
        self._metrics = metrics
        self._tracing = tracing
        self._on_ready = on_ready
        self._on_failure = on_failure
        self._admission = Admission(settings.max_queue_size, metrics)
        self._state = State.STARTING
        self._loading: asyncio.Task[None] | None = None
        self._stopping = threading.Event()
        self._opened: _Opened | None = None

    @property
    def state(self) -> State:
        """Where the service stands."""
        return self._state

    @property
    def table(self) -> ModelTable:
        """The models that are served.

        Raises:
            NotReady: while loading, and after a failure.
            Draining: while shutting down.
        """
        return self._open_now.table

    @property
    def _open_now(self) -> _Opened:
        if self._state is State.DRAINING:
            raise _draining()
        if self._state is State.FAILED:
            raise _failed()
        if self._opened is None:
            raise NotReady("the model is being loaded")
        return self._opened

    def start(self) -> None:
        """Begins to load the model; `state` tells when it is ready."""
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
            version: its version; None for the default's.

        Raises:
            Unavailable: if the service is not ready, or has no room.
            ModelNotFound: if another model or version is served.
        """
        opened = self._open_now
        host = opened.table.find(model, version)
        self._admission.expect(caller)
        host.lease()
        return Visit(
            caller,
            address,
            options,
            host,
            deadline,
            admission=self._admission,
            memory=opened.memory,
        )

    async def drain(self) -> None:
        """Turns readiness off, then waits until every admitted image is answered."""
        if self._state is not State.FAILED:
            self._state = State.DRAINING
            self._admission.close(_draining)
        self._metrics.ready.set(0)
        await self._admission.wait_empty()

    async def stop(self) -> None:
        """Releases threads and engine. Images still queued are answered with an error."""
        self._stopping.set()
        if self._loading is not None:
            self._loading.cancel()
            await asyncio.gather(self._loading, return_exceptions=True)
        if self._opened is not None:
            await asyncio.gather(*(host.stop() for host in self._opened.table.hosts.values()))

    async def _load(self) -> None:
        try:
            loaded = await asyncio.to_thread(
                load_configured, self._settings, self._engines, self._stop_loading
            )
            self._open(loaded)
        except Exception as error:  # noqa: BLE001 - whatever it is, the service cannot start
            self._fail(error)

    def _stop_loading(self) -> None:
        """Ends the loading's thread, which nothing else can: a process waits for its threads."""
        if self._stopping.is_set():
            raise _draining()

    def _open(self, loaded: LoadedModel) -> None:
        settings, model = self._settings, loaded.model
        slots = loaded.engine.open_slots()
        threads = (settings.decode_threads or available_cores()) + len(slots)
        size = model.manifest.input
        budget = Budget(
            limit_bytes=memory_limit_bytes(),
            resident_bytes=resident_bytes(),
            threads=threads,
            decoded_bytes=settings.max_queue_size * 3 * size.height * size.width,
            max_body_bytes=settings.max_body_bytes,
            max_image_pixels=settings.max_image_pixels,
        )
        memory = budget.for_requests(settings.max_buffered_bytes)
        logger.info("requests may hold %d MiB", memory >> 20)
        host = ModelHost(
            model,
            slots,
            [MetricsObserver(self._metrics, model)],
            self._tracing,
            lone_slot=loaded.engine.open_lone_slot(),
            threads=threads,
            max_image_pixels=settings.max_image_pixels,
            decoding_bytes=budget.beside_others_bytes,
            max_queue_delay_seconds=settings.max_queue_delay_ms / 1000,
            inference_timeout_seconds=settings.inference_timeout_ms / 1000,
        )
        host.start(on_death=self._fail)
        self._opened = _Opened(ModelTable.of(host), Memory(memory, self._metrics))
        self._metrics.queue_depth.labels(model.name, model.version).set_function(
            lambda: host.waiting
        )
        self._metrics.model_info.labels(
            model.name, model.version, model.variant.precision, model.provider, model.digest
        ).set(1)
        if self._state is State.STARTING:
            self._on_ready()
            self._state = State.READY
            self._metrics.ready.set(1)
            logger.info(
                "ready: %s:%s, %s on %s",
                model.name, model.version, model.variant.precision, model.provider,
            )  # fmt: skip

    def _fail(self, error: BaseException) -> None:
        self._state = State.FAILED
        self._admission.close(_failed)
        self._metrics.ready.set(0)
        self._on_failure(error)


def _draining() -> Unavailable:
    return Draining("the service is shutting down")


def _failed() -> Unavailable:
    return NotReady("the service has failed and is about to be replaced")
