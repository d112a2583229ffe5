"""What one more model finds of memory, beside those that serve."""

import gc
import threading
import weakref
from collections.abc import Callable
from pathlib import Path

import pytest

from app.contract.errors import ConfigurationError
from app.contract.repository import ModelRepository
from app.inference.hosting import Hosting
from app.selection.loading import LoadedModel, load_model
from app.settings import Settings
from app.telemetry.metrics import Metrics
from app.telemetry.tracing import Tracing
from tests.support.engines import FakeEngine, FakeEngines

MIB = 2**20
Make = Callable[..., Hosting]


@pytest.fixture
def make(metrics: Metrics) -> Make:
    def make(limit_mib: int | None, free_bytes: int | None, **options: object) -> Hosting:
        return Hosting(
            Settings(**options),  # type: ignore[arg-type]
            metrics,
            Tracing(),
            lambda error: None,
            limit_bytes=limit_mib and limit_mib * MIB,
            free_bytes=lambda: free_bytes,
        )

    return make


def load(root: Path, hosting: Hosting, engine: FakeEngine | None = None) -> LoadedModel:
    return load_model(
        ModelRepository(root),
        FakeEngines(engine),
        model="colours",
        precision="auto",
        max_batch_size=4,
        cores=1,
        memory_left=hosting.memory_left(),
    )


def test_nothing_is_refused_where_nothing_is_known(make: Make, repository: Path) -> None:
    hosting = make(None, None)
    assert hosting.memory_left() is None
    assert load(repository, hosting).file_bytes > 0


@pytest.mark.parametrize(
    ("limit_mib", "told"), [(None, "the machine has"), (64, "limit of 64 MiB")]
)
def test_a_model_that_does_not_fit_is_refused_with_figures(
    make: Make, repository: Path, limit_mib: int | None, told: str
) -> None:
    with pytest.raises(ConfigurationError, match=told) as raised:
        load(repository, make(limit_mib, 1000))
    assert "0 MiB are left for it" in raised.value.cause


async def test_records_take_memory_from_requests(make: Make, tmp_path: Path) -> None:
    free = []
    for options in ({}, {"records_share": 1, "records_uri": tmp_path}):
        hosting = make(1200, None, max_image_pixels=1_000_000, **options)
        hosting.start()
        hosting.take_stock()
        free.append(hosting.memory_left())
        await hosting.stop()
    without, with_records = free
    assert without is not None
    assert with_records is not None
    assert "records 64 MiB" in with_records.reason
    assert 50 * MIB < without.bytes - with_records.bytes < 80 * MIB


async def test_memory_of_requests_makes_way_and_comes_back(
    make: Make, repository: Path, metrics: Metrics
) -> None:
    hosting = make(1200, None, max_image_pixels=1_000_000)
    hosting.start()
    try:
        first = hosting.open(load(repository, hosting))
        hosting.take_stock()
        before = hosting.memory_left()
        second = hosting.open(load(repository, hosting))
        hosting.share_memory()
        between = hosting.memory_left()
        assert before is not None
        assert between is not None
        assert between.bytes < before.bytes
        await hosting.close(second)
        assert hosting.memory_left() == before
        await hosting.close(first)
        assert metrics.registry.get_sample_value("senet_model_state", {}) is None
    finally:
        await hosting.stop()


async def test_nothing_is_left_of_a_model_that_is_gone(make: Make, repository: Path) -> None:
    hosting = make(None, None)
    hosting.start()
    gc.disable()
    try:
        host = hosting.open(load(repository, hosting))
        gone = weakref.ref(host)
        await hosting.close(host)
        host = hosting.open(load(repository, hosting))
        await hosting.close(host)
        assert gone() is None
    finally:
        gc.enable()
        await hosting.stop()


@pytest.mark.parametrize(
    ("decode_by", "slots", "started"),
    [("threads", 1, 3), ("threads", 3, 3), ("threads", 5, 5), ("processes", 2, 5)],
)
async def test_there_are_as_many_threads_as_the_cores_can_keep_busy(
    make: Make, repository: Path, decode_by: str, slots: int, started: int
) -> None:
    hosting = make(None, None, decode_threads=3, decode_by=decode_by)
    before = set(threading.enumerate())
    hosting.start()
    try:
        hosting.open(load(repository, hosting, FakeEngine(slots=slots)))
        new = [thread for thread in threading.enumerate() if thread not in before]
        assert sum(thread.name.startswith("worker") for thread in new) == started
    finally:
        await hosting.stop()
