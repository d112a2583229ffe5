"""Slots, threads and the fall-back of the GPU engine, and the engine on a real session."""

import logging
import threading
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray

from app.contract.errors import ConfigurationError
from app.engines.engine import Slot
from app.engines.gpu_engine import GpuEngine, GpuPlan, GpuSlot, load_gpu
from tests.support.colours import INPUT_SIDE, colour_outputs
from tests.support.repository import COLOUR_SIGNATURE, colour_model

BOUND_SECONDS = 30


def images(batch: int, seed: int = 0) -> list[NDArray[np.uint8]]:
    generator = np.random.default_rng(seed)
    return list(generator.integers(0, 256, (batch, INPUT_SIDE, INPUT_SIDE, 3), dtype=np.uint8))


class FakeBatch:
    """Answers with the colours' outputs, and notes sizes and threads."""

    def __init__(self, size: int, runs: list[tuple[int, int]], threads: set[int]) -> None:
        self._size = size
        self._runs = runs
        self._threads = threads

    def capture(self) -> None:
        self._threads.add(threading.get_ident())

    def run(
        self, images: Sequence[NDArray[np.uint8]], outputs: Collection[str]
    ) -> Mapping[str, NDArray[np.float32]]:
        self._threads.add(threading.get_ident())
        self._runs.append((self._size, len(images)))
        return colour_outputs(np.stack(images), outputs)


class FakeSlot:
    """A slot of fake batches, and what they noted: (bucket, images) of each run."""

    def __init__(self, *sizes: int) -> None:
        self.runs: list[tuple[int, int]] = []
        self.threads: set[int] = set()
        self.slot = GpuSlot(
            lambda: {size: FakeBatch(size, self.runs, self.threads) for size in sizes}
        )
        self.slot.start()


@pytest.mark.parametrize(
    ("count", "runs"),
    [
        (1, [(1, 1)]),
        (3, [(4, 3)]),
        (4, [(4, 4)]),
        (11, [(4, 4), (4, 4), (4, 3)]),
        (5, [(4, 4), (1, 1)]),
    ],
)
def test_a_batch_goes_to_its_bucket_or_in_parts(count: int, runs: list[tuple[int, int]]) -> None:
    fake = FakeSlot(1, 2, 4)
    found = fake.slot.run(images(count), ["logits", "embedding"])
    assert fake.runs == runs
    for name, expected in colour_outputs(np.stack(images(count)), ["logits", "embedding"]).items():
        np.testing.assert_allclose(found[name], expected, rtol=1e-5)  # BLAS rounds by batch size


def test_one_thread_captures_and_runs_a_slot_whoever_calls() -> None:
    fakes = [FakeSlot(2), FakeSlot(2)]
    for _ in range(5):
        with ThreadPoolExecutor(2) as callers:
            list(callers.map(lambda fake: fake.slot.run(images(2), ["logits"]), fakes))
    assert [len(fake.threads) for fake in fakes] == [1, 1]
    assert fakes[0].threads != fakes[1].threads
    assert [len(fake.runs) for fake in fakes] == [5, 5]


def test_slots_run_side_by_side() -> None:
    both = threading.Barrier(2, timeout=BOUND_SECONDS)

    class Waiting(FakeBatch):
        def run(
            self, images: Sequence[NDArray[np.uint8]], outputs: Collection[str]
        ) -> Mapping[str, NDArray[np.float32]]:
            both.wait()
            return super().run(images, outputs)

    slots = [GpuSlot(lambda: {1: Waiting(1, [], set())}) for _ in range(2)]
    for slot in slots:
        slot.start()
    opened = GpuEngine(slots, "cuda").open_slots()
    with ThreadPoolExecutor(2) as callers:
        found = list(callers.map(lambda slot: slot.run(images(1), ["logits"]), opened))
    assert len(found) == 2


def test_a_slot_outlives_a_failed_run() -> None:
    class Failing(FakeBatch):
        def run(
            self, images: Sequence[NDArray[np.uint8]], outputs: Collection[str]
        ) -> Mapping[str, NDArray[np.float32]]:
            if not images[0].any():
                raise RuntimeError("the card fell off the bus")
            return super().run(images, outputs)

    slot = GpuSlot(lambda: {1: Failing(1, [], set())})
    slot.start()
    for _ in range(2):
        with pytest.raises(RuntimeError, match="fell off"):
            slot.run([np.zeros_like(images(1)[0])], ["logits"])
    assert slot.run(images(1), ["logits"])["logits"].shape[0] == 1


@pytest.fixture(scope="module")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("gpu") / "model.onnx"
    path.write_bytes(colour_model())
    return path


def plan(*, graphs: bool = True, slots: int = 2) -> GpuPlan:
    return GpuPlan(
        provider="cuda",
        device="cpu",
        buckets=(1, 2, 4),
        slots=slots,
        graphs=graphs,
        signature=COLOUR_SIGNATURE,
        prepare_host=lambda array: None,
    )


class Sessions:
    """Opens real sessions of the CPU provider, and notes for each whether graphs were wanted.

    Args:
        refusal: raised instead where graphs are wanted.
    """

    def __init__(self, model_file: Path, refusal: Exception | None = None) -> None:
        self._file = model_file
        self._refusal = refusal
        self.graphs: list[bool] = []

    def open(self, graphs: bool) -> onnxruntime.InferenceSession:
        self.graphs.append(graphs)
        if graphs and self._refusal is not None:
            raise self._refusal
        return onnxruntime.InferenceSession(self._file, providers=["CPUExecutionProvider"])


@pytest.mark.parametrize("graphs", [True, False])
def test_the_engine_computes_the_model_on_real_sessions(model_file: Path, graphs: bool) -> None:
    sessions = Sessions(model_file)
    engine = load_gpu(sessions.open, plan(graphs=graphs))
    assert sessions.graphs == [graphs, graphs]
    assert engine.provider == "cuda"
    first, second = engine.open_slots()
    batches = [images(1 + seed % 9, seed) for seed in range(15)]
    outputs: tuple[str, ...] = ("logits", "embedding", "cam")

    def run(slot: Slot) -> list[Mapping[str, NDArray[np.float32]]]:
        return [slot.run(batch, outputs) for batch in batches]

    with ThreadPoolExecutor(2) as callers:
        for found in callers.map(run, (first, second)):
            for batch, answers in zip(batches, found, strict=True):
                for name, expected in colour_outputs(np.stack(batch), outputs).items():
                    np.testing.assert_allclose(answers[name], expected, atol=1e-3)


@pytest.mark.parametrize(
    "refusal",
    [
        RuntimeError("not all nodes\nare on CUDA"),
        ConfigurationError("model_repository", "not all nodes\nare on CUDA", "none"),
    ],
)
def test_a_refused_capture_costs_one_line(
    model_file: Path, caplog: pytest.LogCaptureFixture, refusal: Exception
) -> None:
    caplog.set_level(logging.WARNING)
    sessions = Sessions(model_file, refusal)
    engine = load_gpu(sessions.open, plan(slots=1))
    assert sessions.graphs == [True, False]
    [slot] = engine.open_slots()
    assert len(slot.run(images(3), ["logits"])["logits"]) == 3
    [line] = caplog.messages
    assert line.startswith("CUDA graphs are not used: ")
    assert "not all nodes are on CUDA" in line


def test_a_provider_that_does_not_load_is_no_refused_capture(model_file: Path) -> None:
    sessions = Sessions(model_file, ConfigurationError("provider", "CUDA did not load", "none"))
    with pytest.raises(ConfigurationError) as raised:
        load_gpu(sessions.open, plan())
    assert raised.value.option == "provider"
    assert sessions.graphs == [True]
