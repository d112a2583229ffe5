"""The GPU's series, from a stand-in for NVIDIA's library."""

import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest
from prometheus_client import CollectorRegistry

from app.telemetry.gpu import GpuCollector, Nvml

NAMES = ["GPU-1", "MIG-1"]


class Refused(Exception):
    """As `pynvml.NVMLError`."""


@dataclass
class Figures:
    total: int = 80_000
    used: int = 20_000
    gpu: int = 75
    memory: int = 30


@dataclass
class Library:
    """One device; what stands in `refuses` raises."""

    uuid: str = "GPU-1"
    refuses: set[str] = field(default_factory=set)
    figures: Figures = field(default_factory=Figures)
    calls: list[str] = field(default_factory=list)
    read: threading.Event = field(default_factory=threading.Event)
    NVMLError: type[Exception] = Refused

    def nvmlInit(self) -> None:  # noqa: N802
        self._call("init")

    def nvmlShutdown(self) -> None:  # noqa: N802
        self._call("shutdown")

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> object:  # noqa: N802
        if uuid != self.uuid:
            raise Refused("Not Found")
        return uuid

    def nvmlDeviceGetMemoryInfo(self, handle: object) -> Figures:  # noqa: N802
        assert handle == self.uuid
        self._call("memory")
        return self.figures

    def nvmlDeviceGetUtilizationRates(self, handle: object) -> Figures:  # noqa: N802
        assert handle == self.uuid
        try:
            self._call("rates")
        finally:
            self.read.set()
        return self.figures

    def _call(self, name: str) -> None:
        self.calls.append(name)
        if name in self.refuses:
            raise Refused("Not Supported")


Watch = Callable[[Library], dict[str, float]]


@pytest.fixture
def watch() -> Iterator[Watch]:
    """Starts a collector, and tells its series after the first reading."""
    started: list[GpuCollector] = []

    def watch(library: Library) -> dict[str, float]:
        collector = GpuCollector(lambda: library, lambda: NAMES, period_seconds=3600)
        registry = CollectorRegistry()
        registry.register(collector)
        assert list(registry.collect()) == []
        started.append(collector)
        collector.start()
        if "init" not in library.refuses and library.uuid in NAMES:
            assert library.read.wait(10)
        collector.stop()
        samples = [sample for family in registry.collect() for sample in family.samples]
        assert {sample.labels["uuid"] for sample in samples} <= {library.uuid}
        return {sample.name: sample.value for sample in samples}

    yield watch
    for collector in started:
        collector.stop()


def test_memory_and_utilisation(watch: Watch) -> None:
    library = Library()
    assert watch(library) == {
        "senet_gpu_memory_used_bytes": 20_000,
        "senet_gpu_memory_total_bytes": 80_000,
        "senet_gpu_utilization_ratio": 0.75,
        "senet_gpu_memory_utilization_ratio": 0.3,
    }
    assert library.calls == ["init", "memory", "rates", "shutdown"]


def test_a_slice_of_a_gpu_has_memory_alone(watch: Watch) -> None:
    assert set(watch(Library("MIG-1", {"rates"}))) == {
        "senet_gpu_memory_used_bytes",
        "senet_gpu_memory_total_bytes",
    }


@pytest.mark.parametrize(
    ("library", "cause"),
    [
        (Library(refuses={"init"}), "Not Supported"),
        (Library(refuses={"memory", "rates"}), "Not Supported"),
        (Library("GPU-2"), "does not know"),
    ],
)
def test_where_the_library_tells_nothing_the_log_says_so(
    watch: Watch, library: Library, cause: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert watch(library) == {}
    assert [cause in record.message for record in caplog.records] == [True]


def test_without_the_library_there_is_no_series() -> None:
    loaded = threading.Event()

    def load() -> Nvml | None:
        loaded.set()
        return None

    collector = GpuCollector(load, lambda: NAMES)
    collector.start()
    assert loaded.wait(10)
    collector.stop()
    assert list(collector.collect()) == []
