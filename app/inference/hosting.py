"""What the hosts of all models share: threads, memory, metrics."""

import asyncio
import contextlib
import gc
import logging
from collections.abc import Callable
from dataclasses import replace

from app.contract.errors import ConfigurationError
from app.contract.reference import Signal
from app.engines.engine import Provider
from app.engines.freed_memory import return_freed_memory
from app.hardware import (
    available_cores,
    available_memory_bytes,
    resident_bytes,
)
from app.inference.budget import Budget
from app.inference.decoded import decode_here
from app.inference.decoder_count import BYTES_PER_DECODER, decoder_count
from app.inference.decoders import DecoderProcesses
from app.inference.drift import Drift
from app.inference.host import ModelHost
from app.inference.memory import Memory
from app.inference.observer import MetricsObserver
from app.inference.workers import Workers
from app.selection.loading import LoadedModel
from app.selection.memory_left import MemoryLeft, memory_left_at_start
from app.selection.served_model import ServedModel
from app.settings import Settings
from app.telemetry.metrics import Metrics
from app.telemetry.records import MOST_RECORDED_BYTES
from app.telemetry.tracing import Tracing

logger = logging.getLogger(__name__)

# Measured: SE-ResNet-50 in fp32, a file of 107 MiB, takes 90 MiB once it is loaded. Buffers come
# on top.
_BYTES_PER_BYTE = 1.5


class Hosting:
    """Starts hosts and ends them. For one event loop.

    Args:
        settings: the options.
        metrics: the series.
        tracing: records the stages of requests.
        limit_bytes: the container's memory limit; None if nothing limits it.
        free_bytes: tells what the machine has left; None where it does not tell.
        on_death: called, with the reason, if an engine hangs or a thread is lost.

    Attributes:
        memory: what requests may hold.
    """

    def __init__(
        self,
        settings: Settings,
        metrics: Metrics,
        tracing: Tracing,
        on_death: Callable[[BaseException], None],
        *,
        limit_bytes: int | None,
        free_bytes: Callable[[], int | None] = available_memory_bytes,
    ) -> None:
        self._settings = settings
        self._metrics = metrics
        self._tracing = tracing
        self._limit_bytes = limit_bytes
        self._free_bytes = free_bytes
        self._on_death = on_death
        self.memory = Memory(settings.max_buffered_bytes, metrics)
        self._workers = Workers()
        self._decode_threads = settings.decode_threads or available_cores()
        self._decoders = decoder_count(settings, limit_bytes)
        self._processes = DecoderProcesses(self._decoders) if self._decoders else None
        self._hosts: dict[ModelHost, int] = {}
        """With the size of each one's file."""
        self._threads = 1
        self._base_bytes = 0.0

    def start(self) -> None:
        """Lets threads start."""
        loop = asyncio.get_running_loop()

        def tell(error: BaseException) -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed, and nobody waits
                loop.call_soon_threadsafe(self._on_death, error)

        self._workers.start(tell)
        if self._processes:
            self._processes.start()

    def open(self, loaded: LoadedModel) -> ModelHost:
        """Starts a host."""
        settings, model = self._settings, loaded.model
        slots = loaded.engine.open_slots()
        threads = self._needed_threads(len(slots), model.provider)
        self._threads = max(self._threads, threads)
        drift = self._drift(model)
        host = ModelHost(
            model,
            slots,
            [MetricsObserver(self._metrics, model), *([drift] if drift else [])],
            self._tracing,
            self._workers,
            drift=drift,
            lone_slot=loaded.engine.open_lone_slot(),
            threads=threads,
            decode=self._processes.decode if self._processes else decode_here,
            decoders=self._decoders or None,
            max_image_pixels=settings.max_image_pixels,
            decoding_bytes=self._budget().beside_others_bytes,
            max_queue_delay_seconds=settings.max_queue_delay_ms / 1000,
            inference_timeout_seconds=settings.inference_timeout_ms / 1000,
        )
        host.start(on_death=self._on_death)
        self._hosts[host] = loaded.file_bytes
        self._metrics.enter(model.name, model.version, "ready")
        self._metrics.model_memory.labels(model.name, model.version).set(
            round(_BYTES_PER_BYTE * loaded.file_bytes)
        )
        self._metrics.queue_depth.labels(model.name, model.version).set_function(
            lambda: host.waiting
        )
        self._metrics.model_info.labels(
            model.name, model.version, model.variant.precision, model.provider, model.digest
        ).set(1)
        return host

    def take_stock(self) -> None:
        """Measures what the process takes, with all models of the start.

        Raises:
            ConfigurationError: if nothing is left for requests.
        """
        self._base_bytes = resident_bytes() - _BYTES_PER_BYTE * sum(self._hosts.values())
        self._base_bytes += BYTES_PER_DECODER * self._decoders
        self.share_memory()

    def share_memory(self) -> None:
        """Lets requests hold what the models that are loaded leave."""
        capacity = self._budget().for_requests(self._settings.max_buffered_bytes)
        self.memory.resize(capacity)
        logger.info("requests may hold %d MiB", capacity >> 20)

    async def share_memory_or_close(self, host: ModelHost) -> None:
        """The same for one that was started beside others, which is closed if that fails.

        Raises:
            ConfigurationError: see `take_stock`.
        """
        try:
            self.share_memory()
        except ConfigurationError:
            await self.close(host)
            raise

    def memory_left_at_start(self) -> MemoryLeft | None:
        """What the container's limit leaves to the next model of the start; None without one."""
        left = memory_left_at_start(self._limit_bytes)
        taken = round(_BYTES_PER_BYTE * sum(self._hosts.values()))
        return left and replace(left, bytes=left.bytes - taken)

    def memory_left(self) -> MemoryLeft | None:
        """The memory that there is for one more model; None if nobody knows."""
        bounds = []
        if (left := self._budget().for_models(self._settings.max_buffered_bytes)) is not None:
            bounds.append(MemoryLeft(*left))
        if (free := self._free_bytes()) is not None:
            bounds.append(MemoryLeft(free, f"the machine has {free / 2**20:.0f} MiB left"))
        return min(bounds, key=lambda left: left.bytes, default=None)

    async def close(self, host: ModelHost) -> None:
        """Ends a host once its last request is answered, and frees what it took."""
        name, version = host.model.name, host.model.version
        self._metrics.enter(name, version, "draining")
        await host.close()
        del self._hosts[host]
        self._metrics.forget(name, version)
        self.share_memory()
        await asyncio.to_thread(_free_memory)

    async def stop(self) -> None:
        """Ends all hosts at once. Images still queued are answered with an error."""
        await asyncio.gather(*(host.stop() for host in list(self._hosts)))
        self._workers.stop()
        if self._processes:
            await asyncio.to_thread(self._processes.stop)

    def _needed_threads(self, slots: int, provider: Provider) -> int:
        """How many threads keep the cores busy, and no more: threads without a core take turns."""
        if provider == "cpu" and self._processes is None:
            return max(self._decode_threads, slots)
        return self._decode_threads + slots  # some wait for a card, or for processes that decode

    def _drift(self, model: ServedModel) -> Drift | None:
        if model.manifest.reference is None:
            return None
        labels = (model.name, model.version)

        def tell(signal: Signal, window: int, ratio: float) -> None:
            self._metrics.drift.labels(*labels, signal, str(window)).set(ratio)

        return Drift(model, tell)

    def _budget(self) -> Budget:
        sizes = [host.model.manifest.input for host in self._hosts]
        pixels = max((size.height * size.width for size in sizes), default=0)
        return Budget(
            limit_bytes=self._limit_bytes,
            resident_bytes=round(self._base_bytes + _BYTES_PER_BYTE * sum(self._hosts.values())),
            threads=self._threads,
            decoded_bytes=self._settings.max_queue_size * 3 * pixels,
            recorded_bytes=0 if self._settings.records_uri is None else MOST_RECORDED_BYTES,
            max_body_bytes=self._settings.max_body_bytes,
            max_image_pixels=self._settings.max_image_pixels,
        )


def _free_memory() -> None:
    """Frees what hosts that were closed have left.

    A host and the functions of its gauges keep each other, and scattered small objects keep pages
    of the heap. Requests make few objects, so it would be long until the collector came by itself.
    It takes 2 ms, for what the process started with is frozen (`app.transport.process`).
    """
    gc.collect()
    return_freed_memory()
