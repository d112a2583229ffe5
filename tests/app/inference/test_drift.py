"""Windows of photos against the manifest's reference."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from app.contract.manifest import Manifest
from app.contract.reference import Signal
from app.engines.engine import Layout
from app.inference.classification import Classification
from app.inference.drift import Drift
from app.inference.observer import Seen
from app.selection.served_model import ServedModel
from tests.support.clock import Clock
from tests.support.colours import COLOURS, INPUT_SIDE
from tests.support.repository import COLOUR_SIGNATURE, colour_manifest
from tests.support.trusted import with_reference

Told = list[tuple[Signal, int, float]]
BATCH = 4


@pytest.fixture
def told() -> Told:
    return []


@pytest.fixture
def drift(told: Told, clock: Clock) -> Drift:
    content = colour_manifest()
    with_reference(content)
    manifest = Manifest.model_validate(content)
    model = ServedModel(
        manifest, manifest.variants[0], "cpu", Layout(1, 1), BATCH, "rule", COLOUR_SIGNATURE
    )
    return Drift(model, lambda *values: told.append(values), clock)


def show(
    drift: Drift,
    classes: Sequence[int],
    score: float = 1.0,
    side: float = 40.0,
    darker: Callable[[NDArray[np.float64]], NDArray[np.float64]] = lambda colour: colour,
) -> None:
    """Shows a watch photos of these classes, in batches."""
    labels = Manifest.model_validate(colour_manifest()).labels
    for start in range(0, len(classes), BATCH):
        batch = classes[start : start + BATCH]
        if drift.wants_sample():
            colours = [
                darker(np.array(COLOURS[index], np.float64)).astype(np.uint8) for index in batch
            ]
            pixels = [np.tile(own, (INPUT_SIDE, INPUT_SIDE, 1)) for own in colours]
            drift.sample(pixels, {"embedding": (np.array(colours) / 255).astype(np.float32)})
        answer = Classification([], (0.0, 0.0, side, side), None, 0.0, 0.0, 0.0)
        drift.seen([Seen(labels[index], score, answer, "interactive") for index in batch], 0.01)


def drawn(count: int, classes: int = len(COLOURS), seed: int = 1) -> list[int]:
    draws: list[int] = np.random.default_rng(seed).integers(0, classes, count).tolist()
    return draws


def exceeded(drift: Drift, window: int) -> set[Signal]:
    found = {signal: drift.difference(signal, window) for signal in drift.signals}
    return {signal for signal, own in found.items() if own and own.since is not None}


def test_nothing_is_said_before_a_window_is_full(drift: Drift, told: Told) -> None:
    show(drift, drawn(60))
    assert told == []
    show(drift, drawn(4))
    assert {window for _, window, _ in told} == {64}
    assert drift.difference("score", 1024) is None
    show(drift, drawn(960))
    assert {window for _, window, _ in told} == {64, 1024}
    assert drift.seen_images == 1024


@pytest.mark.parametrize("seed", range(4))
def test_photos_like_those_of_the_reference_raise_nothing(drift: Drift, seed: int) -> None:
    show(drift, drawn(2048, seed=seed))
    assert exceeded(drift, 1024) == set()


@pytest.mark.parametrize(
    ("signal", "changed"),
    [
        ("score", {"score": 0.4}),
        ("classes", {"classes": 32}),
        ("size", {"side": 700.0}),
        ("exposure", {"darker": lambda colour: colour / 3}),
        ("embedding", {"darker": lambda colour: colour / 3}),
    ],
)
def test_each_signal_sees_its_change_within_1024_images(
    drift: Drift, signal: Signal, changed: dict[str, object]
) -> None:
    # `show` takes options of several types, and each case names one of them.
    classes = drawn(1024, changed.pop("classes", len(COLOURS)))  # type: ignore[arg-type]
    show(drift, classes, **changed)  # type: ignore[arg-type]
    assert signal in exceeded(drift, 1024)
    assert signal in exceeded(drift, 64)


def test_what_is_told_is_a_multiple_of_the_threshold(drift: Drift, told: Told) -> None:
    show(drift, drawn(64), score=0.4)
    found = drift.difference("score", 64)
    assert found is not None
    ratios = {signal: ratio for signal, _, ratio in told}
    assert ratios["score"] == found.value / found.threshold > 1


def test_since_when_is_kept_while_it_lasts_and_forgotten_afterwards(
    drift: Drift, clock: Clock
) -> None:
    show(drift, drawn(64), score=0.4)
    began = clock()
    for _ in range(3):
        clock.advance(60)
        show(drift, drawn(64), score=0.4)
    found = drift.difference("score", 64)
    assert found is not None
    assert found.since == began
    show(drift, drawn(64))
    assert exceeded(drift, 64) == set()
    clock.advance(60)
    show(drift, drawn(64), score=0.4)
    found = drift.difference("score", 64)
    assert found is not None
    assert found.since == clock()


def test_one_batch_in_eight_is_sampled(drift: Drift) -> None:
    assert sum(drift.wants_sample() for _ in range(80)) == 10
    assert drift.outputs == {"embedding"}


def test_a_block_without_a_sample_is_told_only_of_what_was_counted(drift: Drift) -> None:
    drift.wants_sample()
    show(drift, drawn(64)[: 7 * BATCH] * 2 + [1] * 8)
    assert drift.difference("classes", 64) is not None


def test_pixels_that_have_no_size_raise_no_alarm(drift: Drift) -> None:
    show(drift, drawn(1024), side=0.0)
    assert drift.difference("size", 1024) is None
    assert exceeded(drift, 1024) == set()


def test_an_embedding_that_has_overflowed_is_left_out(drift: Drift) -> None:
    drift.sample(
        [np.zeros((INPUT_SIDE, INPUT_SIDE, 3), np.uint8)] * 2,
        {"embedding": np.array([[np.nan] * 3, [np.inf] * 3], np.float32)},
    )
    show(drift, drawn(64))
    found = drift.difference("embedding", 64)
    assert found is not None
    assert np.isfinite(found.value)
