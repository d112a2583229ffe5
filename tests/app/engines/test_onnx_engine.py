"""ONNX Runtime, for real, on a tiny model."""

import tempfile
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from app.contract.errors import ConfigurationError
from app.engines.engine import Layout, Slot
from app.engines.onnx_engine import OnnxEngines
from tests.support.colours import COLOURS, INPUT_SIDE, colour_outputs
from tests.support.repository import COLOUR_SIGNATURE, colour_model

EVERYTHING: tuple[str, ...] = ("logits", "embedding", "cam")


@pytest.fixture(scope="module")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("engine") / "model.onnx"
    path.write_bytes(colour_model())
    return path


@pytest.fixture(scope="module")
def slots(model_file: Path) -> list[Slot]:
    return (
        OnnxEngines("cpu")
        .load(model_file, "cpu", Layout(threads=1, slots=4), COLOUR_SIGNATURE)
        .open_slots()
    )


def images(batch: int) -> list[NDArray[np.uint8]]:
    generator = np.random.default_rng(batch)
    return list(generator.integers(0, 256, (batch, INPUT_SIDE, INPUT_SIDE, 3), dtype=np.uint8))


@pytest.mark.parametrize("batch", [1, 2, 7])
def test_computes_the_model_on_any_batch(slots: list[Slot], batch: int) -> None:
    found = slots[0].run(images(batch), EVERYTHING)
    expected = colour_outputs(np.stack(images(batch)), EVERYTHING)
    assert found["logits"].shape == (batch, len(COLOURS))
    for name in EVERYTHING:
        assert found[name].dtype == np.float32
        np.testing.assert_allclose(found[name], expected[name], atol=1e-3)


@pytest.mark.parametrize("outputs", [["logits"], ["cam", "logits"], {"embedding"}])
def test_gives_what_was_asked_for(slots: list[Slot], outputs: Collection[str]) -> None:
    assert set(slots[0].run(images(1), outputs)) == set(outputs)


def test_how_the_pixels_lie_in_memory_makes_no_difference(slots: list[Slot]) -> None:
    image = np.random.default_rng(0).integers(0, 256, (3, INPUT_SIDE, INPUT_SIDE), dtype=np.uint8)
    turned = image.transpose(1, 2, 0)
    [found] = slots[0].run([turned], {"logits"})["logits"]
    [expected] = slots[0].run([np.ascontiguousarray(turned)], {"logits"})["logits"]
    assert np.array_equal(found, expected)


def test_a_file_is_read_as_onnx_whatever_its_name(tmp_path: Path) -> None:
    # ONNX Runtime would take this name for its own format, which is not what was checked.
    path = tmp_path / "model.ort"
    path.write_bytes(colour_model())
    [slot] = (
        OnnxEngines("cpu")
        .load(path, "cpu", Layout(threads=1, slots=1), COLOUR_SIGNATURE)
        .open_slots()
    )
    assert set(slot.run(images(1), ["logits"])) == {"logits"}


def test_slots_run_side_by_side(slots: list[Slot]) -> None:
    batches = [[images(1 + index % 5) for index in range(start, start + 10)] for start in range(4)]

    def run(slot: Slot, own: list[list[NDArray[np.uint8]]]) -> list[NDArray[np.float32]]:
        return [slot.run(batch, ["logits"])["logits"] for batch in own]

    with ThreadPoolExecutor(len(slots)) as threads:
        found = list(threads.map(run, slots, batches))
    for own, answers in zip(batches, found, strict=True):
        for batch, logits in zip(own, answers, strict=True):
            expected = colour_outputs(np.stack(batch), ["logits"])["logits"]
            np.testing.assert_allclose(logits, expected, atol=1e-3)


def test_answers_outlive_the_next_run(slots: list[Slot]) -> None:
    first = slots[0].run(images(2), ["logits"])["logits"]
    kept = first.copy()
    slots[0].run(images(3)[:2], ["logits"])
    np.testing.assert_array_equal(first, kept)


@pytest.mark.parametrize(("threads", "slots"), [(1, 3), (2, 2), (2, 1), (1, 1)])
def test_as_many_slots_are_opened_as_the_layout_says(
    model_file: Path, threads: int, slots: int
) -> None:
    engine = OnnxEngines("cpu").load(
        model_file, "cpu", Layout(threads=threads, slots=slots), COLOUR_SIGNATURE
    )
    assert engine.provider == "cpu"
    assert len(engine.open_slots()) == slots


def test_a_lone_run_has_a_slot_of_its_own_that_computes_the_same(
    model_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    layout = Layout(threads=1, slots=2, lone_threads=2)
    engine = OnnxEngines("cpu").load(model_file, "cpu", layout, COLOUR_SIGNATURE)
    assert not list(tmp_path.iterdir())  # nothing is left of what the sessions share
    lone = engine.open_lone_slot()
    assert lone is not None
    for slot in (lone, *engine.open_slots()):
        for batch in (1, 5):
            found = slot.run(images(batch), EVERYTHING)
            expected = colour_outputs(np.stack(images(batch)), EVERYTHING)
            for name in EVERYTHING:
                np.testing.assert_allclose(found[name], expected[name], atol=1e-3)


def test_without_room_for_what_sessions_share_a_lone_run_is_like_any_other(
    model_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    layout = Layout(threads=1, slots=2, lone_threads=2)
    engine = OnnxEngines("cpu").load(model_file, "cpu", layout, COLOUR_SIGNATURE)
    assert engine.open_lone_slot() is None
    assert len(engine.open_slots()) == 2
    assert "TMPDIR" in caplog.text


def test_auto_offers_the_cpu(model_file: Path) -> None:
    assert OnnxEngines("auto").providers()[-1] == "cpu"


def test_what_is_no_model_is_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    for data in (b"", b"no protobuf", colour_model()[:100]):
        path.write_bytes(data)
        with pytest.raises(ConfigurationError) as raised:
            OnnxEngines("cpu").load(path, "cpu", Layout(threads=1, slots=1), COLOUR_SIGNATURE)
        assert raised.value.option == "model_repository"
        assert "\n" not in str(raised.value)
