"""The service's life: loading, ready, draining, failed."""

import asyncio
import enum
import logging
import threading
from collections.abc import Callable

from app.contract.errors import Draining, ModelNotFound, NotReady
from app.engines.engine import Engines
from app.hardware import available_cores
from app.inference.admission import Admission
from app.inference.batcher import Batcher
from app.inference.classifier import Classifier
from app.inference.worker_threads import WorkerThreads
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


class Service:
    """Loads the model in the background and hands out its classifier while ready.

    Args:
        settings: the options.
        engines: loads inference engines.
        metrics: the series.
        tracing: records the stages of requests.
        on_ready: called once when the model is loaded and served.
        on_failure: called once when loading fails or a batch loop dies.
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
        self._decoders: WorkerThreads | None = None
        self._batcher: Batcher | None = None
        self._classifier: Classifier | None = None

    @property
    def state(self) -> State:
        """Where the service stands."""
        return self._state

    def start(self) -> None:
        """Begins to load the model; `state` tells when it is ready."""
        self._loading = asyncio.create_task(self._load())

    def classifier(self, model: str | None = None, version: str | None = None) -> Classifier:
        """The classifier to use for a request.

        Args:
            model: the model's name; None for whichever is served.
            version: its version; None for whichever is served.

        Raises:
            NotReady: while loading, and after a failure.
            Draining: while shutting down.
            ModelNotFound: if another model or version is served.
        """
        if self._state is State.DRAINING:
            raise Draining("the service is shutting down")
        if self._state is State.FAILED:
            raise NotReady("the service has failed and is about to be replaced")
        if self._classifier is None:
            raise NotReady("the model is being loaded")
        served = self._classifier.model
        if model not in (None, served.name) or version not in (None, served.version):
            raise ModelNotFound(
                f"{model or served.name}:{version or 'any'} is not loaded;"
                f" {served.name}:{served.version} is"
            )
        return self._classifier

    async def drain(self) -> None:
        """Turns readiness off, then waits until every admitted image is answered."""
        if self._state is not State.FAILED:
            self._state = State.DRAINING
        self._metrics.ready.set(0)
        await self._admission.wait_empty()

    async def stop(self) -> None:
        """Releases threads and engine. Images still queued are answered with an error."""
        self._stopping.set()
        if self._loading is not None:
            self._loading.cancel()
            await asyncio.gather(self._loading, return_exceptions=True)
        if self._batcher is not None:
            await self._batcher.stop()
        if self._decoders is not None:
            self._decoders.stop()

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
            raise Draining("the service is shutting down")

    def _open(self, loaded: LoadedModel) -> None:
        settings, model = self._settings, loaded.model
        self._decoders = WorkerThreads(settings.decode_threads or available_cores(), "decode")
        self._decoders.start()
        self._batcher = Batcher(
            loaded.engine,
            self._metrics,
            (model.name, model.version),
            max_batch_size=model.max_batch_size,
            max_queue_delay_seconds=settings.max_queue_delay_ms / 1000,
            inference_timeout_seconds=settings.inference_timeout_ms / 1000,
            tracing=self._tracing,
        )
        self._batcher.start(on_death=self._fail)
        self._classifier = Classifier(
            model,
            self._batcher,
            self._admission,
            self._decoders,
            self._metrics,
            max_image_pixels=settings.max_image_pixels,
            tracing=self._tracing,
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
        self._metrics.ready.set(0)
        self._on_failure(error)
