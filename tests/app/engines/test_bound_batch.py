"""Binding, padding and reuse of buffers, on a real session of the CPU provider."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray

from app.contract.signature import Signature, of_schema_1
from app.engines.bound_batch import BoundBatch
from tests.support.colours import COLOURS, INPUT_SIDE, colour_outputs
from tests.support.repository import COLOUR_SIGNATURE, colour_model

EVERYTHING: tuple[str, ...] = ("logits", "embedding", "cam")


class RecordingSession:
    """The real session, and what it was told in each run: graph, and addresses bound."""

    def __init__(self, session: onnxruntime.InferenceSession) -> None:
        self._session = session
        self.graphs: list[str] = []
        self.addresses: list[tuple[int, ...]] = []
        self.batches: list[NDArray[np.uint8]] = []

    def get_inputs(self) -> list[onnxruntime.NodeArg]:
        return list(self._session.get_inputs())

    def get_outputs(self) -> list[onnxruntime.NodeArg]:
        return list(self._session.get_outputs())

    def io_binding(self) -> onnxruntime.IOBinding:
        return self._session.io_binding()

    def run_with_iobinding(
        self, binding: onnxruntime.IOBinding, options: onnxruntime.RunOptions
    ) -> None:
        self.graphs.append(options.get_run_config_entry("gpu_graph_id"))
        [image] = binding._bound_inputs.values()
        self.batches.append(image.numpy().copy())
        self._session.run_with_iobinding(binding, options)
        outputs = [value.data_ptr() for value in binding.get_outputs()]
        self.addresses.append((image.data_ptr(), *outputs))


@pytest.fixture(scope="module")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bound") / "model.onnx"
    path.write_bytes(colour_model())
    return path


@pytest.fixture
def session(model_file: Path) -> RecordingSession:
    return RecordingSession(
        onnxruntime.InferenceSession(model_file, providers=["CPUExecutionProvider"])
    )


def bound(
    session: RecordingSession,
    size: int,
    *,
    graph_id: int | None = None,
    prepared: list[int] | None = None,
    signature: Signature = COLOUR_SIGNATURE,
) -> BoundBatch:
    addresses: list[int] = [] if prepared is None else prepared
    return BoundBatch(
        session,
        size,
        signature,
        device="cpu",
        graph_id=graph_id,
        prepare_host=lambda array: addresses.append(array.nbytes),
    )


def images(batch: int, seed: int = 0) -> list[NDArray[np.uint8]]:
    generator = np.random.default_rng(seed)
    return list(generator.integers(0, 256, (batch, INPUT_SIDE, INPUT_SIDE, 3), dtype=np.uint8))


@pytest.mark.parametrize("graph_id", [None, 3])
@pytest.mark.parametrize("count", [1, 3, 4])
def test_computes_what_is_asked_of_a_padded_batch(
    session: RecordingSession, count: int, graph_id: int | None
) -> None:
    batch = bound(session, 4, graph_id=graph_id)
    batch.capture()
    found = batch.run(images(count), EVERYTHING)
    expected = colour_outputs(np.stack(images(count)), EVERYTHING)
    for name in EVERYTHING:
        assert found[name].dtype == np.float32
        np.testing.assert_allclose(found[name], expected[name], atol=1e-3)
    assert set(batch.run(images(count), ["cam"])) == {"cam"}


def test_sizes_that_the_signature_leaves_open_are_the_files(session: RecordingSession) -> None:
    batch = bound(session, 2, signature=of_schema_1(INPUT_SIDE, INPUT_SIDE, len(COLOURS)))
    found = batch.run(images(2), EVERYTHING)
    for name, expected in colour_outputs(np.stack(images(2)), EVERYTHING).items():
        np.testing.assert_allclose(found[name], expected, atol=1e-3)


def test_answers_outlive_the_next_run(session: RecordingSession) -> None:
    batch = bound(session, 2)
    first = batch.run(images(2, seed=1), ["logits"])["logits"]
    batch.run(images(2, seed=2), ["logits"])
    expected = colour_outputs(np.stack(images(2, seed=1)), ["logits"])["logits"]
    np.testing.assert_allclose(first, expected, atol=1e-3)


def test_every_run_uses_the_same_memory_and_the_whole_bucket(session: RecordingSession) -> None:
    batch = bound(session, 4, graph_id=1)
    batch.capture()
    for count in (4, 1, 3):
        batch.run(images(count, seed=count), ["logits"])
    assert len(set(session.addresses)) == 1
    assert {len(seen) for seen in session.batches} == {4}


def test_the_graph_is_captured_on_one_input_and_proved_on_another(
    session: RecordingSession,
) -> None:
    batch = bound(session, 2, graph_id=5)
    batch.capture()
    assert session.graphs == ["-1", "5", "5"]
    single, captured, replayed = session.batches
    np.testing.assert_array_equal(single, replayed)
    assert not np.array_equal(captured, replayed)
    batch.run(images(2), ["logits"])
    assert session.graphs[-1] == "5"


def test_without_a_graph_none_is_named(session: RecordingSession) -> None:
    batch = bound(session, 2)
    batch.capture()
    batch.run(images(2), ["logits"])
    assert set(session.graphs) == {"-1"}


def test_a_graph_that_ignores_new_input_is_refused(session: RecordingSession) -> None:
    class Stuck(RecordingSession):
        """Replays the answers of the first run of its graph, as a wrong capture would."""

        def run_with_iobinding(
            self, binding: onnxruntime.IOBinding, options: onnxruntime.RunOptions
        ) -> None:
            if options.get_run_config_entry("gpu_graph_id") not in self.graphs:
                super().run_with_iobinding(binding, options)

    with pytest.raises(RuntimeError, match="batch size 2 replays wrong logits"):
        bound(Stuck(session._session), 2, graph_id=1).capture()


def test_the_hosts_memory_is_prepared_once(session: RecordingSession) -> None:
    prepared: list[int] = []
    batch = bound(session, 4, prepared=prepared)
    batch.capture()
    batch.run(images(3), ["logits"])
    assert prepared == [4 * INPUT_SIDE * INPUT_SIDE * 3]
