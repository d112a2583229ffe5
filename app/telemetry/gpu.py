"""Memory and utilisation of the GPU, as NVIDIA's management library (NVML) tells them."""

import logging
import threading
from collections.abc import Callable, Iterable
from typing import Protocol

from prometheus_client import Metric
from prometheus_client.registry import Collector

from app.telemetry.families import Family

logger = logging.getLogger(__name__)

_LABELS = ("uuid",)
_USED = Family(
    "senet_gpu_memory_used_bytes",
    "Memory of the GPU that is taken, by whatever runs on it.",
    labels=_LABELS,
)
_TOTAL = Family("senet_gpu_memory_total_bytes", "Memory of the GPU.", labels=_LABELS)
_BUSY = Family(
    "senet_gpu_utilization_ratio",
    "Share of the last second or less in which anything ran on the GPU; none for a MIG slice.",
    labels=_LABELS,
)
_MEMORY_BUSY = Family(
    "senet_gpu_memory_utilization_ratio",
    "Share of that time in which its memory was read or written.",
    labels=_LABELS,
)
FAMILIES = (_USED, _TOTAL, _BUSY, _MEMORY_BUSY)
"""All that the library may tell."""
# The library averages over a second at most; scrapes come every 15 seconds or so.
_PERIOD_SECONDS = 5.0


class _Memory(Protocol):
    """`nvmlMemory_t`, in bytes."""

    total: int
    used: int


class _Utilization(Protocol):
    """`nvmlUtilization_t`, in per cent."""

    gpu: int
    memory: int


class Nvml(Protocol):
    """What is used of the module `pynvml`, which is the package nvidia-ml-py."""

    NVMLError: type[Exception]

    def nvmlInit(self) -> None:  # noqa: N802 - the library's names
        """Loads the driver's library."""

    def nvmlShutdown(self) -> None:  # noqa: N802 - the library's name
        """Lets go of it."""

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> object:  # noqa: N802 - the library's name
        """The device of that UUID, such as `GPU-...` or `MIG-...`."""
        ...

    def nvmlDeviceGetMemoryInfo(self, handle: object) -> _Memory:  # noqa: N802 - the library's name
        """Its memory."""
        ...

    def nvmlDeviceGetUtilizationRates(self, handle: object) -> _Utilization:  # noqa: N802 - the library's name
        """How busy it is."""
        ...


def load_nvml() -> Nvml | None:
    """The library's Python module; None, with a line in the log, where it is not installed."""
    try:
        import pynvml
    except ImportError:
        logger.warning("no metrics of the GPU: install nvidia-ml-py, a part of the extra gpu")
        return None
    found: Nvml = pynvml
    return found


class GpuCollector(Collector):
    """Reads the GPU every few seconds, in a thread of its own.

    A driver that hangs holds up neither requests nor scrapes; the series keep their last values.
    What the library does not tell has no series.

    Args:
        nvml: gives the library; None if there is none.
        uuids: names that the GPU may have there, the first that is known counts.
        period_seconds: the pause between two readings.
    """

    def __init__(
        self,
        nvml: Callable[[], Nvml | None],
        uuids: Callable[[], Iterable[str]],
        period_seconds: float = _PERIOD_SECONDS,
    ) -> None:
        self._load = nvml
        self._uuids = uuids
        self._period_seconds = period_seconds
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self._families: list[Metric] = []

    def describe(self) -> Iterable[Metric]:
        """The families, without values."""
        return [family.empty() for family in FAMILIES]

    def collect(self) -> Iterable[Metric]:
        """The last reading; nothing before the first."""
        return self._families

    def start(self) -> None:
        """Begins to read, once a GPU serves."""
        # Nothing depends on its end: a thread that hangs in the driver must not hold up the exit.
        self._thread = threading.Thread(target=self._run, name="gpu-metrics", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ends the reading."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join(timeout=5)

    def _run(self) -> None:
        nvml = self._load()
        if nvml is None:
            return
        try:
            nvml.nvmlInit()
        except nvml.NVMLError as error:
            logger.warning("no metrics of the GPU: %s", error)
            return
        try:
            self._watch(nvml)
        finally:
            nvml.nvmlShutdown()

    def _watch(self, nvml: Nvml) -> None:
        for uuid in self._uuids():
            try:
                handle = nvml.nvmlDeviceGetHandleByUUID(uuid)
            except nvml.NVMLError:
                continue
            break
        else:
            logger.warning("no metrics of the GPU: NVML does not know the one that serves")
            return
        is_told = True
        while True:
            families, error = _read(nvml, handle, uuid)
            self._families = families
            if not families and is_told:
                logger.warning("no metrics of the GPU at present: %s", error)
            is_told = bool(families)
            if self._ended.wait(self._period_seconds):
                return


def _read(nvml: Nvml, handle: object, uuid: str) -> tuple[list[Metric], Exception | None]:
    """What the library tells now, and its last error."""
    families: list[Metric] = []
    failed: Exception | None = None
    try:
        memory = nvml.nvmlDeviceGetMemoryInfo(handle)
        families += [_USED.of(memory.used, uuid), _TOTAL.of(memory.total, uuid)]
    except nvml.NVMLError as error:
        failed = error
    try:
        rates = nvml.nvmlDeviceGetUtilizationRates(handle)
        families += [_BUSY.of(rates.gpu / 100, uuid), _MEMORY_BUSY.of(rates.memory / 100, uuid)]
    except nvml.NVMLError as error:
        failed = error
    return families, failed
