"""The fastest engine is chosen, in bounded time, and the choice is remembered."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from app.contract.errors import ConfigurationError
from app.contract.manifest import Variant
from app.selection.cache import ChoiceCache
from app.selection.candidates import Candidate, cpu_layouts
from app.selection.choice import Choice, Chooser
from app.selection.measurement import Clocks
from tests.support.clock import Clock
from tests.support.colours import INPUT_SIDE
from tests.support.repository import colour_manifest
from tests.support.timed_engines import CORES, Seconds, TimedEngine, TimedEngines

SIZES = [1, 2, 4, 8]
IMAGES = np.zeros((3, INPUT_SIDE, INPUT_SIDE, 3), np.uint8)
BOUND = 0.5


def variant(precision: str) -> Variant:
    [first] = colour_manifest()["variants"]
    return Variant.model_validate(first | {"precision": precision})


INT8, FP32 = variant("int8"), variant("fp32")


def milliseconds(
    *, int8: float = 10, fp32: float = 10, two_threads: float = 0.5, overhead: float = 0
) -> Seconds:
    """Time of a run: per image for each precision, its share with two threads, and a constant."""

    def seconds(candidate: Candidate, images: int) -> float:
        image = int8 if candidate.variant.precision == "int8" else fp32
        share = two_threads if candidate.layout.threads == 2 else 1
        return (overhead + image * images) * share / 1000

    return seconds


def alike(image: float, overhead: float = 0) -> Seconds:
    """The same, whatever the precision."""
    return milliseconds(int8=image, fp32=image, overhead=overhead)


class Trial:
    """Choices with the same engines at different starts."""

    def __init__(
        self, seconds: Seconds, cache: ChoiceCache | None = None, *, processor_ms: float = 0
    ) -> None:
        self.clock = Clock()
        self.engines = TimedEngines(self.clock, seconds, processor_ms / 1000)
        self.cache = cache

    def choose(
        self,
        variants: Sequence[Variant] = (INT8, FP32),
        *,
        inference_threads: int = 0,
        runtime: str = "1",
        sizes: Sequence[int] = SIZES,
    ) -> Choice:
        chooser = Chooser(
            self.engines.load,
            IMAGES,
            "logits",
            sizes,
            cores=CORES,
            circumstances={"runtime": runtime},
            cache=self.cache,
            clocks=Clocks(self.clock, self.engines.processor, sleep=self.clock.advance),
        )
        return chooser.choose(variants, cpu_layouts(CORES, inference_threads))


@pytest.mark.parametrize(
    ("seconds", "chosen"),
    [
        (milliseconds(int8=3, two_threads=0.8), "int8 1x2"),
        (milliseconds(int8=3, two_threads=0.4), "int8 2x2"),
        (milliseconds(fp32=3, two_threads=0.8), "fp32 1x2"),
        (milliseconds(int8=3, overhead=50, two_threads=0.4), "int8 2x2"),
    ],
)
def test_the_fastest_is_chosen(seconds: Seconds, chosen: str) -> None:
    choice = Trial(seconds).choose()
    assert str(choice.candidate) == chosen
    assert choice.chosen_by == "measurement"
    assert choice.images_per_second[chosen] == max(choice.images_per_second.values())
    assert str(choice).startswith(
        f"{chosen}, 2 threads for a lone run, batches of up to 8, by measurement ("
    )


def test_among_equals_the_exact_one_and_fewer_threads_are_preferred() -> None:
    assert str(Trial(milliseconds()).choose().candidate) == "fp32 1x2"
    nearly = milliseconds(int8=9.8, two_threads=0.52)
    assert str(Trial(nearly).choose().candidate) == "fp32 1x2"


@pytest.mark.parametrize(
    ("two_threads", "lone_threads"), [(0.55, 2), (0.85, 2), (0.95, 0), (1.2, 0)]
)
def test_a_lone_run_has_the_threads_that_make_it_soonest(
    two_threads: float, lone_threads: int, tmp_path: Path
) -> None:
    trial = Trial(milliseconds(two_threads=two_threads), ChoiceCache(tmp_path))
    for chosen_by in ("measurement", "cache"):
        choice = trial.choose()
        assert (choice.chosen_by, str(choice.candidate)) == (chosen_by, "fp32 1x2")
        assert choice.candidate.layout.lone_threads == lone_threads
        assert (choice.engine.open_lone_slot() is not None) == (lone_threads > 0)


def test_where_the_threads_are_set_a_lone_run_has_no_others() -> None:
    choice = Trial(milliseconds()).choose(inference_threads=1)
    assert choice.candidate.layout.lone_threads == 0


def test_gaps_that_decoding_fills_do_not_count() -> None:
    # One run over both cores takes 1.2 ms an image, two runs side by side 1 ms; but what both
    # need of the cores leaves time for 400 images a second.
    gaps = milliseconds(int8=2, two_threads=0.6)
    assert str(Trial(gaps).choose([INT8]).candidate) == "int8 1x2"
    busy = Trial(gaps, processor_ms=3).choose([INT8])
    assert str(busy.candidate) == "int8 1x2"
    assert busy.images_per_second == {"int8 1x2": 400, "int8 2x2": 400}


@pytest.mark.parametrize(
    ("seconds", "largest"),
    [
        (alike(30), 1),
        (alike(11), 2),
        (alike(30, overhead=1), 1),
        (alike(6, overhead=2), 4),
        (alike(100, overhead=15), 2),
        (alike(100, overhead=60), 8),
        (alike(30, overhead=15), 8),
        (alike(1), 8),
    ],
    ids=[
        "long runs",
        "runs that get long",
        "nearly as fast alone",
        "nearly as fast with fewer",
        "a small gain and no time",
        "a large one",
        "batching pays",
        "short runs",
    ],
)
def test_batches_grow_while_that_brings_something(seconds: Seconds, largest: int) -> None:
    choice = Trial(seconds).choose(inference_threads=1)
    assert choice.usual_batch_size == largest
    # When many images wait it may be twice as large, up to what is set.
    assert choice.max_batch_size == min(2 * largest, 8)


def test_many_that_wait_get_no_batch_that_was_slower() -> None:
    def seconds(candidate: Candidate, images: int) -> float:
        return 0.1 * images * (1.03 if images > 1 else 1)

    choice = Trial(seconds).choose(inference_threads=1)
    assert (choice.usual_batch_size, choice.max_batch_size) == (1, 1)


def test_more_threads_a_run_must_be_clearly_faster() -> None:
    # The same engine, loaded again, differs by as much.
    choice = Trial(milliseconds(int8=3, two_threads=0.46)).choose([INT8])
    assert str(choice.candidate) == "int8 1x2"
    assert choice.images_per_second["int8 2x2"] > choice.images_per_second["int8 1x2"]


def test_no_larger_batch_is_tried_than_brings_something() -> None:
    flat, short = Trial(alike(30)), Trial(alike(1))
    for trial in (flat, short):
        trial.choose(inference_threads=1)
    assert flat.engines.largest == 2
    assert short.engines.largest == 8


def test_two_batch_sizes_are_compared_even_if_that_takes_longer() -> None:
    choice = Trial(milliseconds(int8=300)).choose([INT8])
    assert (choice.usual_batch_size, choice.max_batch_size) == (1, 2)


def test_a_batch_size_that_was_never_compared_is_not_the_limit() -> None:
    # Its first run has taken all the time there is.
    choice = Trial(milliseconds(int8=2000)).choose([INT8])
    assert choice.max_batch_size == 8


def test_what_is_set_is_not_measured() -> None:
    trial = Trial(milliseconds())
    choice = trial.choose([FP32], inference_threads=1)
    assert (str(choice.candidate), choice.chosen_by) == ("fp32 1x2", "setting")
    assert (trial.engines.loaded, trial.engines.runs) == (["fp32 1x2"], 0)
    assert choice.max_batch_size == 8


def test_a_set_precision_or_layout_leaves_the_other_to_be_measured() -> None:
    slow_int8 = milliseconds(int8=30, two_threads=0.4)
    assert str(Trial(slow_int8).choose([INT8]).candidate) == "int8 2x2"
    assert str(Trial(slow_int8).choose(inference_threads=1).candidate) == "fp32 1x2"


def test_one_engine_is_alive_at_a_time() -> None:
    trial = Trial(milliseconds(int8=3, two_threads=0.8))
    choice = trial.choose()
    assert trial.engines.loaded == ["int8 1x2", "fp32 1x2", "int8 2x2", "int8 1x2"]
    assert (trial.engines.alive, trial.engines.most_alive) == (1, 1)
    assert len(choice.engine.open_slots()) == 2


def test_what_was_loaded_last_is_not_loaded_again() -> None:
    trial = Trial(milliseconds())
    assert str(trial.choose(inference_threads=1).candidate) == "fp32 1x2"
    assert trial.engines.loaded == ["int8 1x2", "fp32 1x2"]


@pytest.mark.parametrize(
    ("variants", "busy_seconds"), [([INT8], 0.4), ([INT8, FP32], 0.3)], ids=["layout", "precision"]
)
def test_what_another_program_slows_down_gets_another_try(
    variants: list[Variant], busy_seconds: float
) -> None:
    quiet = milliseconds(int8=3, fp32=4, two_threads=0.8)

    def seconds(candidate: Candidate, images: int) -> float:
        is_slowed = trial.clock.now - started < busy_seconds
        return quiet(candidate, images) * (4 if is_slowed else 1)

    trial = Trial(seconds)
    started = trial.clock.now
    choice = trial.choose(variants)
    assert str(choice.candidate) == "int8 1x2"
    assert choice.images_per_second["int8 1x2"] == 667


def test_the_time_is_bounded() -> None:
    trial = Trial(milliseconds())
    started = trial.clock.now
    trial.choose()
    longest_run = 0.08
    candidates = 3
    assert trial.clock.now - started <= BOUND + candidates * 2 * longest_run


def test_more_threads_that_answer_no_sooner_are_not_worth_it() -> None:
    def seconds(candidate: Candidate, images: int) -> float:
        if candidate.layout.threads == 1:
            return 0.003 * images
        return 0.0014 * images + 0.0012  # each run has to gather its threads

    assert str(Trial(seconds, processor_ms=3).choose([INT8]).candidate) == "int8 1x2"


def test_a_huge_model_gets_three_runs_of_one_image_each() -> None:
    trial = Trial(milliseconds(int8=2000, fp32=2000))
    trial.choose()
    # Two alone, and one in each of two slots.
    assert trial.engines.runs == 3 * (2 + 2)


def test_what_is_clearly_slower_is_given_up_after_its_first_batch() -> None:
    slow, fast = Trial(milliseconds(int8=1, fp32=100)), Trial(milliseconds(int8=1, fp32=1))
    slow.choose(inference_threads=1)
    fast.choose(inference_threads=1)
    # What is left of the runs is those of int8, which took its time in both.
    assert slow.engines.runs < 0.6 * fast.engines.runs


def test_a_candidate_that_does_not_run_is_not_chosen(caplog: pytest.LogCaptureFixture) -> None:
    def seconds(candidate: Candidate, images: int) -> float:
        if candidate.variant.precision == "int8":
            raise RuntimeError("no kernel\nfor this")
        return 0.01 * images

    assert Trial(seconds).choose().candidate.variant is FP32
    assert "int8 1x2 does not run: no kernel for this" in caplog.messages


def test_what_does_not_load_is_not_chosen(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(TimedEngines):
        def load(self, candidate: Candidate) -> TimedEngine:
            if candidate.variant is INT8:
                raise ConfigurationError("model_repository", "an operator is unknown", "none")
            return super().load(candidate)

    trial = Trial(milliseconds())
    trial.engines = Broken(trial.clock, milliseconds())
    assert str(trial.choose().candidate) == "fp32 1x2"
    assert "int8 1x2 does not load: an operator is unknown" in caplog.messages
    with pytest.raises(ConfigurationError):
        trial.choose([INT8])


def test_a_choice_is_remembered(tmp_path: Path) -> None:
    cache = ChoiceCache(tmp_path / "made" / "when needed")
    first = Trial(milliseconds(int8=3, two_threads=0.8), cache).choose()
    later = Trial(milliseconds(fp32=3, two_threads=0.4), cache)
    choice = later.choose()
    assert choice.candidate == first.candidate
    assert choice.images_per_second == first.images_per_second
    assert choice.max_batch_size == first.max_batch_size
    assert choice.usual_batch_size == first.usual_batch_size
    assert (choice.chosen_by, later.engines.runs) == ("cache", 0)
    assert later.engines.loaded == ["int8 1x2"]


def test_under_other_conditions_it_is_measured_anew(tmp_path: Path) -> None:
    trial = Trial(milliseconds(int8=3), ChoiceCache(tmp_path))
    trial.choose()
    other_file = FP32.model_copy(update={"sha256": "0" * 64})
    assert trial.choose(runtime="2").chosen_by == "measurement"
    assert trial.choose([INT8, other_file]).chosen_by == "measurement"
    assert trial.choose([FP32]).chosen_by == "measurement"
    assert trial.choose(sizes=[1, 2]).chosen_by == "measurement"
    assert trial.choose().chosen_by == "cache"


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe", b"[]", b'{"schema_version": 2}', b"null", b'{"chosen": 1}']
)
def test_a_damaged_file_is_ignored_and_replaced(tmp_path: Path, content: bytes) -> None:
    cache = ChoiceCache(tmp_path)
    trial = Trial(milliseconds(int8=3), cache)
    trial.choose()
    [file] = tmp_path.iterdir()
    file.write_bytes(content)
    assert trial.choose().chosen_by == "measurement"
    assert trial.choose().chosen_by == "cache"


def test_a_file_about_something_else_is_ignored(tmp_path: Path) -> None:
    trial = Trial(milliseconds(int8=3), ChoiceCache(tmp_path))
    trial.choose()
    [file] = tmp_path.iterdir()
    right = file.read_text()
    for wrong in (right.replace('"int8 1x2"', '"int8 9x9"'), right.replace('"1"', '"3"')):
        assert wrong != right
        file.write_text(wrong)
        assert trial.choose().chosen_by == "measurement"


def test_a_folder_that_cannot_be_used_costs_a_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("no folder")
    caplog.set_level(logging.INFO)
    # Root, as which tests may run, could write into a read-only folder.
    trial = Trial(milliseconds(int8=3), ChoiceCache(tmp_path / "file" / "cache"))
    assert trial.choose().chosen_by == "measurement"
    [message] = [text for text in caplog.messages if "cannot be saved" in text]
    assert "Not a directory" in message
    assert "--cache-directory" in message


def test_nothing_half_written_is_left(tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    trial = Trial(milliseconds(int8=3), ChoiceCache(tmp_path / "cache"))
    trial.choose()
    [file] = (tmp_path / "cache").iterdir()
    file.unlink()
    file.mkdir()  # what stands in the way of the replacement
    assert trial.choose().chosen_by == "measurement"
    assert list((tmp_path / "cache").iterdir()) == [file]
