"""The engine for GPUs: prepared batch sizes, and slots that copy while another one computes."""

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from app.contract.errors import ConfigurationError
from app.contract.signature import Signature
from app.engines.bound_batch import BoundBatch, PrepareHost
from app.engines.buckets import bucket_for
from app.engines.engine import Provider, Slot

logger = logging.getLogger(__name__)


class Batch(Protocol):
    """What a slot needs of a prepared batch size; see `BoundBatch`."""

    def capture(self) -> None:
        """Makes it ready."""
        ...

    def run(
        self, images: Sequence[NDArray[np.uint8]], outputs: Collection[str]
    ) -> Mapping[str, NDArray[np.float32]]:
        """Runs a batch."""
        ...


class GpuSlot:
    """A session with its own stream, buffers and thread.

    ONNX Runtime allows a session with CUDA graphs to be run from one thread only, and keeps the
    graphs with the thread that captured them. So one thread makes, captures and runs everything.

    Args:
        prepare: opens the session and makes its batch sizes, by size.
    """

    def __init__(self, prepare: Callable[[], Mapping[int, Batch]]) -> None:
        self._prepare = prepare
        self._batches: Mapping[int, Batch] = {}
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="gpu")

    def start(self) -> None:
        """Makes every batch size ready.

        Raises:
            Exception: whatever the session raises.
        """
        self._thread.submit(self._start).result()

    def run(
        self, images: Sequence[NDArray[np.uint8]], outputs: Collection[str]
    ) -> Mapping[str, NDArray[np.float32]]:
        """See `Slot`. A batch that exceeds the largest bucket runs in parts.

        All outputs are computed; those that are not asked for stay on the GPU.
        """
        return self._thread.submit(self._run, images, outputs).result()

    def _start(self) -> None:
        self._batches = self._prepare()
        for batch in self._batches.values():
            batch.capture()

    def _run(
        self, images: Sequence[NDArray[np.uint8]], outputs: Collection[str]
    ) -> Mapping[str, NDArray[np.float32]]:
        buckets = sorted(self._batches)
        parts = [images[at : at + buckets[-1]] for at in range(0, len(images), buckets[-1])]
        results = [
            self._batches[bucket_for(len(part), buckets)].run(part, outputs) for part in parts
        ]
        if len(results) == 1:
            return results[0]
        return {name: np.concatenate([result[name] for result in results]) for name in outputs}


class GpuEngine:
    """A model on a GPU.

    Args:
        slots: started.
        provider: what runs them.
    """

    def __init__(self, slots: Sequence[GpuSlot], provider: Provider) -> None:
        self._provider = provider
        self._slots = slots

    @property
    def provider(self) -> Provider:
        """See `Engine`."""
        return self._provider

    def open_slots(self) -> list[Slot]:
        """See `Engine`."""
        return list(self._slots)

    def open_lone_slot(self) -> Slot | None:
        """See `Engine`."""
        return None


OpenSession = Callable[[bool], onnxruntime.InferenceSession]
"""Opens a session on the GPU, given whether it shall capture CUDA graphs."""


@dataclass(frozen=True, slots=True)
class GpuPlan:
    """How to use a GPU.

    Attributes:
        provider: "cuda" or "tensorrt".
        device: where tensors lie: "cuda".
        buckets: batch sizes to prepare, rising.
        slots: batches under way at once: with two, one copies while the other computes.
        graphs: whether to try CUDA graphs. Not with TensorRT, for which ONNX Runtime documents one
            graph a session, whatever the batch size.
        signature: what to bind.
        prepare_host: makes host memory fit for fast copies.
    """

    provider: Provider
    device: str
    buckets: Sequence[int]
    slots: int
    graphs: bool
    signature: Signature
    prepare_host: PrepareHost


def load_gpu(open_session: OpenSession, plan: GpuPlan) -> GpuEngine:
    """Opens a session for each slot and makes every batch size ready.

    One slot after the other: while a graph is being captured, no other thread may call CUDA.

    Args:
        open_session: opens a slot's session; each has a stream of its own.
        plan: what to make.

    Raises:
        ConfigurationError: from `open_session`.
        Exception: if the sessions do not run even without CUDA graphs.
    """
    if plan.graphs:
        try:
            return _started(open_session, plan, graphs=True)
        except Exception as error:
            # A refused capture has no class of its own: ONNX Runtime's share no base below this.
            if isinstance(error, ConfigurationError) and error.option == "provider":
                raise
            logger.warning("CUDA graphs are not used: %s", " ".join(str(error).split()))
    return _started(open_session, plan, graphs=False)


def _started(open_session: OpenSession, plan: GpuPlan, *, graphs: bool) -> GpuEngine:
    def prepare() -> Mapping[int, Batch]:
        session = open_session(graphs)
        return {
            size: BoundBatch(
                session,
                size,
                plan.signature,
                device=plan.device,
                graph_id=number if graphs else None,
                prepare_host=plan.prepare_host,
            )
            for number, size in enumerate(plan.buckets, start=1)
        }

    slots = [GpuSlot(prepare) for _ in range(plan.slots)]
    for slot in slots:
        slot.start()
    return GpuEngine(slots, plan.provider)
