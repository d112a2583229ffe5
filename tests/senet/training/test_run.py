"""A training learns, and continues where it was left as if nothing had happened."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from app.contract.errors import ConfigurationError
from senet import checkpoint, networks
from senet.blocks import BasicBlock
from senet.gates.recorder import GateRecorder
from senet.resnet import ResNetDesign
from senet.se import SqueezeExcitation
from senet.training.options import TrainingOptions
from senet.training.photos import class_labels
from senet.training.run import Training
from tests.senet.training.conftest import COLOURS, draw


@pytest.fixture(autouse=True)
def _tiny_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, dropout in (("se_tiny", 0.0), ("se_tiny_dropout", 0.5)):
        design = ResNetDesign(
            BasicBlock, (1, 1, 1, 1), (8, 8, 16, 16), reduction=4, stem=(8,), dropout=dropout
        )
        monkeypatch.setitem(networks.RESNETS, name, design)


def training(data: Path, output: Path, **options: object) -> Training:
    chosen = {
        "data": str(data), "architecture": "se_tiny", "epochs": 3, "size": 32,
        "evaluation_size": 32, "batch_size": 6, "threads": 2, "evaluate_every": 2,
    } | options  # fmt: skip
    return Training(TrainingOptions.model_validate(chosen), class_labels(data / "train"), output)


class Stopped(Exception):
    """Stands for a crash between two steps."""


class StopAt:
    """A progress display that breaks off at a step of an epoch."""

    def __init__(self, epoch: int, step: int) -> None:
        self._title, self._step = f"epoch {epoch}/", step

    def __call__(self, steps: Iterable[int], title: str) -> Iterator[int]:
        for step in steps:
            if title.startswith(self._title) and step == self._step:
                raise Stopped
            yield step


def assert_same(one: Path, other: Path) -> None:
    """Both runs hold the same bits: served weights, network, momenta and, times aside, history."""
    torch.testing.assert_close(
        checkpoint.load(one / "checkpoint.pt").weights,
        checkpoint.load(other / "checkpoint.pt").weights,
        rtol=0,
        atol=0,
    )
    first, second = (checkpoint.load_training(path / "checkpoint.pt") for path in (one, other))
    assert first is not None
    assert second is not None
    torch.testing.assert_close(first["network"], second["network"], rtol=0, atol=0)
    torch.testing.assert_close(
        first["optimizer"]["state"], second["optimizer"]["state"], rtol=0, atol=0
    )
    for entry in (*first["history"], *second["history"]):
        del entry["seconds"], entry["images_per_second"]
    assert first["history"] == second["history"]


@pytest.mark.parametrize(("epoch", "step"), [(1, 1), (2, 0), (3, 2)])
def test_a_run_stopped_anywhere_ends_with_the_same_bits(
    data: Path, tmp_path: Path, epoch: int, step: int
) -> None:
    training(data, tmp_path / "straight").run()

    with pytest.raises(Stopped):
        training(data, tmp_path / "stopped").run(StopAt(epoch, step))
    continued = training(data, tmp_path / "stopped")
    assert len(continued.history) == epoch - 1
    continued.run()

    assert_same(tmp_path / "straight", tmp_path / "stopped")


def test_dropout_continues_with_the_same_bits(data: Path, tmp_path: Path) -> None:
    dropping = {"architecture": "se_tiny_dropout", "threads": 1}
    training(data, tmp_path / "straight", **dropping).run()
    with pytest.raises(Stopped):
        training(data, tmp_path / "stopped", **dropping).run(StopAt(2, 1))

    training(data, tmp_path / "stopped", **dropping).run()

    assert_same(tmp_path / "straight", tmp_path / "stopped")


def test_threads_may_not_race_for_dropout(data: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"^--threads: 2 threads would draw"):
        training(data, tmp_path / "run", architecture="se_tiny_dropout", threads=2)


def test_drawn_colours_are_learnt(tmp_path: Path) -> None:
    data = tmp_path / "drawn"
    for index, (name, colour) in enumerate(COLOURS.items()):
        for number in range(16):
            part = "train" if number < 12 else "val"
            draw(data / part / name / f"{number}.png", colour, 100 * index + number)
    run = training(data, tmp_path / "run", epochs=12, learning_rate=0.05, average_decay=0.8)

    run.run()

    assert run.history[-1]["top1"] == 1.0
    assert run.history[-1]["loss"] < run.history[0]["loss"]


def test_the_log_has_a_line_for_each_epoch(data: Path, tmp_path: Path) -> None:
    run = training(data, tmp_path / "run")
    run.run()

    log = (tmp_path / "run" / "log.jsonl").read_text()
    entries = [json.loads(line) for line in log.splitlines()]

    assert entries == run.history
    assert [(entry["epoch"], entry["size"]) for entry in entries] == [(1, 20), (2, 20), (3, 26)]
    assert ["top1" in entry for entry in entries] == [False, True, True]
    for entry in entries:
        assert list(entry["gate_spread"]) == ["layer1.0", "layer2.0", "layer3.0", "layer4.0"]
        assert entry["dead_blocks"] == [
            block for block, spread in entry["gate_spread"].items() if spread < 0.001
        ]


def test_nothing_pulls_gates_towards_a_constant(data: Path, tmp_path: Path) -> None:
    """Weights that get no gradient only decay: those before a normalisation, never a gate's."""
    run = training(
        data, tmp_path / "run", epochs=1, learning_rate=1e-9, weight_decay=1e8, average_decay=0
    )
    run.run()
    torch.manual_seed(0)
    fresh = networks.build("se_tiny", 3).state_dict()

    weights = checkpoint.load(tmp_path / "run" / "checkpoint.pt").weights
    decayed = "layer1.0.conv1.weight"
    assert weights[decayed].norm() < 0.9 * fresh[decayed].norm()
    for name in (name for name in fresh if "se_module" in name):
        torch.testing.assert_close(weights[name], fresh[name], rtol=0, atol=1e-6)


def test_gates_are_computed_in_fp32_beside_a_network_in_bf16() -> None:
    block = SqueezeExcitation(8, 2)
    with torch.no_grad():
        for layer in (block.fc1, block.fc2):
            layer.weight.normal_(0, 1)
    maps = torch.randn(4, 8, 5, 5).bfloat16()
    recorder = GateRecorder()
    with recorder.watch(block), torch.autocast("cpu", torch.bfloat16):
        scaled = block(maps)

    expected = block.gates(maps.float().mean((2, 3), keepdim=True))
    (gates,) = recorder.blocks()
    np.testing.assert_allclose(gates.values, expected.detach().flatten(1).numpy(), atol=1e-6)
    assert scaled.dtype == torch.bfloat16


def test_the_checkpoint_has_what_serving_needs(data: Path, tmp_path: Path) -> None:
    run = training(data, tmp_path / "run", evaluation_size=48, seed=5)
    run.run()

    served = checkpoint.load(tmp_path / "run" / "checkpoint.pt")

    assert served.architecture == "se_tiny"
    assert [label.id for label in served.labels] == ["blue", "green", "red"]
    assert (served.preprocessing.crop_height, served.preprocessing.crop_width) == (48, 48)
    assert served.provenance == "trained on drawn, 3 of 3 epochs, seed 5"


def test_a_run_from_a_checkpoint_starts_there_and_says_so(data: Path, tmp_path: Path) -> None:
    training(data, tmp_path / "first", epochs=1).run()
    before = checkpoint.load(tmp_path / "first" / "checkpoint.pt")

    second = training(
        data, tmp_path / "second", epochs=1, start_from=str(tmp_path / "first" / "checkpoint.pt"),
        learning_rate=1e-12, weight_decay=0,
    )  # fmt: skip
    second.run()

    after = checkpoint.load(tmp_path / "second" / "checkpoint.pt")
    torch.testing.assert_close(
        after.weights["last_linear.weight"], before.weights["last_linear.weight"]
    )
    assert after.provenance == (
        "trained on drawn, 1 of 1 epochs, seed 0, "
        "started from weights trained on drawn, 1 of 1 epochs, seed 0"
    )


def test_seeds_give_different_weights(data: Path, tmp_path: Path) -> None:
    for seed in (0, 1):
        training(data, tmp_path / str(seed), epochs=1, seed=seed).run()

    with pytest.raises(AssertionError):
        assert_same(tmp_path / "0", tmp_path / "1")


@pytest.mark.parametrize(
    ("option", "value"),
    [("epochs", 2), ("seed", 1), ("batch_size", 4), ("bf16", True), ("learning_rate", 0.2)],
)
def test_a_run_is_not_continued_with_another_option(
    data: Path, tmp_path: Path, option: str, value: object
) -> None:
    run = training(data, tmp_path / "run", epochs=3)
    with pytest.raises(Stopped):
        run.run(StopAt(2, 0))
    flag = "--" + option.replace("_", "-")

    with pytest.raises(ConfigurationError, match=f"^{flag}: .* was started with"):
        training(data, tmp_path / "run", **{"epochs": 3, option: value})


def test_a_run_goes_on_when_its_photos_have_moved(data: Path, tmp_path: Path) -> None:
    training(data, tmp_path / "straight").run()
    with pytest.raises(Stopped):
        training(data, tmp_path / "stopped").run(StopAt(2, 1))
    moved = data.rename(tmp_path / "elsewhere")

    training(moved, tmp_path / "stopped").run()

    assert_same(tmp_path / "straight", tmp_path / "stopped")


def test_other_photos_make_another_run(data: Path, tmp_path: Path) -> None:
    training(data, tmp_path / "run", epochs=1).run()
    draw(data / "train" / "red" / "99.png", COLOURS["red"], 99)

    with pytest.raises(ConfigurationError, match=r"^--data: .* other photos"):
        training(data, tmp_path / "run", epochs=2)


def test_a_run_may_be_made_longer(data: Path, tmp_path: Path) -> None:
    training(data, tmp_path / "run", epochs=1).run()
    longer = training(data, tmp_path / "run", epochs=3)
    longer.run()
    assert [entry["epoch"] for entry in longer.history] == [1, 2, 3]
    assert longer.history[1]["learning_rate"] > longer.history[2]["learning_rate"]


def test_a_run_that_is_older_than_an_option_goes_on(data: Path, tmp_path: Path) -> None:
    training(data, tmp_path / "run", epochs=2).run()
    file = tmp_path / "run" / "checkpoint.pt"
    state = checkpoint.load_training(file)
    assert state is not None
    for option in ("patience", "head_epochs", "mean"):
        del state["options"][option]
    del state["photos"]
    checkpoint.save(file, checkpoint.load(file), state)

    assert training(data, tmp_path / "run", epochs=2).done
    with pytest.raises(ConfigurationError, match=r"^--mean: .* was started with"):
        training(data, tmp_path / "run", epochs=2, mean=(0.5, 0.5, 0.5))


def test_in_the_first_phase_only_the_last_layer_learns(data: Path, tmp_path: Path) -> None:
    training(data, tmp_path / "first", epochs=1).run()
    start = tmp_path / "first" / "checkpoint.pt"
    tuned = training(
        data, tmp_path / "tuned", epochs=2, head_epochs=1, start_from=str(start), threads=2
    )
    with pytest.raises(Stopped):
        tuned.run(StopAt(2, 0))
    before = checkpoint.load(start).weights
    state = checkpoint.load_training(tmp_path / "tuned" / "checkpoint.pt")
    assert state is not None
    changed = {
        name for name, value in state["network"].items() if not torch.equal(value, before[name])
    }
    assert changed == {"last_linear.weight", "last_linear.bias"}
    assert tuned.history[0]["learning_rate"] == 2e-3

    training(data, tmp_path / "tuned", epochs=2, head_epochs=1, start_from=str(start)).run()
    state = checkpoint.load_training(tmp_path / "tuned" / "checkpoint.pt")
    assert state is not None
    assert not torch.equal(
        state["network"]["layer4.0.conv1.weight"], before["layer4.0.conv1.weight"]
    )


def test_statistics_may_stay_as_they_came(data: Path, tmp_path: Path) -> None:
    training(data, tmp_path / "first", epochs=1).run()
    start = tmp_path / "first" / "checkpoint.pt"
    tuned = training(
        data, tmp_path / "tuned", epochs=1, start_from=str(start), frozen_statistics=True
    )
    tuned.run()
    before = checkpoint.load(start).weights
    state = checkpoint.load_training(tmp_path / "tuned" / "checkpoint.pt")
    assert state is not None
    after = state["network"]
    for name, value in before.items():
        if "running_" in name:
            torch.testing.assert_close(after[name], value, rtol=0, atol=0)
    assert not torch.equal(after["layer4.0.conv1.weight"], before["layer4.0.conv1.weight"])


def test_two_phases_stopped_anywhere_end_with_the_same_bits(data: Path, tmp_path: Path) -> None:
    training(data, tmp_path / "first", epochs=1).run()
    phases = {"head_epochs": 1, "start_from": str(tmp_path / "first" / "checkpoint.pt")}
    training(data, tmp_path / "straight", **phases).run()
    with pytest.raises(Stopped):
        training(data, tmp_path / "stopped", **phases).run(StopAt(2, 1))
    training(data, tmp_path / "stopped", **phases).run()
    assert_same(tmp_path / "straight", tmp_path / "stopped")


@pytest.mark.parametrize(
    ("options", "flag"),
    [
        ({"head_epochs": 1}, "--head-epochs"),
        ({"head_epochs": 3, "start_from": "any.pt"}, "--head-epochs"),
        ({"std": (0.5, 0, 0.5)}, "--std"),
        ({"frozen_statistics": True}, "--frozen-statistics"),
    ],
)
def test_phases_and_units_that_contradict_are_refused(
    data: Path, tmp_path: Path, options: dict[str, object], flag: str
) -> None:
    with pytest.raises(ConfigurationError, match=f"^{flag}: "):
        training(data, tmp_path / "run", **options)


def test_a_training_without_progress_stops_early(data: Path, tmp_path: Path) -> None:
    told: list[dict[str, object]] = []
    run = training(
        data, tmp_path / "run", epochs=50, evaluate_every=1, patience=2, learning_rate=1e-9
    )
    run.run(tell=told.append)
    assert len(run.history) == 3
    assert told == run.history
    assert run.done


def test_the_report_tells_the_best_epoch_from_the_last(data: Path, tmp_path: Path) -> None:
    run = training(data, tmp_path / "run", epochs=3, evaluate_every=1)
    run.run()
    text = (tmp_path / "run" / "report.md").read_text()
    best = max(run.history, key=lambda entry: (entry["top1"], entry["epoch"]))
    assert f"Best epoch, {best['epoch']}: top-1 {best['top1']:.2%}" in text
    assert f"Last epoch, 3: top-1 {run.history[-1]['top1']:.2%}" in text
    assert checkpoint.load(tmp_path / "run" / "best.pt").provenance.startswith("trained on")
    for name in COLOURS:
        assert f"| {name} | 2 |" in text
    assert "<svg" in (tmp_path / "run" / "confusion.svg").read_text()


def test_classes_may_be_weighed_against_their_frequency(data: Path, tmp_path: Path) -> None:
    for number in range(100, 112):
        draw(data / "train" / "red" / f"{number}.png", COLOURS["red"], number)
    plain = training(data, tmp_path / "plain", epochs=1, mixing=0)
    weighed = training(data, tmp_path / "weighed", epochs=1, mixing=0, class_weights=True)
    plain.run()
    weighed.run()
    assert plain.history[0]["loss"] != weighed.history[0]["loss"]


def test_a_run_is_not_continued_with_other_classes(data: Path, tmp_path: Path) -> None:
    training(data, tmp_path / "run", epochs=1).run()
    for part in ("train", "val"):
        (data / part / "red").rename(data / part / "scarlet")

    with pytest.raises(ConfigurationError, match=r"^--classes: .* other classes"):
        training(data, tmp_path / "run", epochs=1)


def test_a_checkpoint_without_training_state_is_not_continued(data: Path, tmp_path: Path) -> None:
    training(data, tmp_path / "run", epochs=1).run()
    path = tmp_path / "run" / "checkpoint.pt"
    checkpoint.save(path, checkpoint.load(path))

    with pytest.raises(ConfigurationError, match=r"^--output: .* cannot be continued"):
        training(data, tmp_path / "run", epochs=1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"architecture": "alexnet"}, "--architecture: 'alexnet' is unknown"),
        ({"batch_size": 7}, "--batch-size: 7 photos cannot be shared evenly by 2 threads"),
        ({"batch_size": 2}, "--batch-size: leaves each thread one photo"),
        ({"batch_size": 20}, "--batch-size: 20 is more than the 18 training photos"),
    ],
)
def test_impossible_options_are_refused(
    data: Path, tmp_path: Path, options: dict[str, object], message: str
) -> None:
    with pytest.raises(ConfigurationError, match=f"^{message}"):
        training(data, tmp_path / "run", **options)


def test_a_diverged_training_stops_and_saves_nothing(data: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"^--learning-rate: .* diverged in epoch 1"):
        training(data, tmp_path / "run", learning_rate=1e30).run()

    assert list((tmp_path / "run").iterdir()) == []


def test_a_class_without_validation_photos_is_counted_and_without_training_photos_refused(
    data: Path, tmp_path: Path
) -> None:
    for photo in (data / "val" / "red").iterdir():
        photo.unlink()
    assert training(data, tmp_path / "run").notes == ("1 of 3 classes have no photos.",)

    for photo in (data / "train" / "red").iterdir():
        photo.unlink()
    with pytest.raises(ConfigurationError, match=r"train/red holds no photo"):
        training(data, tmp_path / "run")


def test_an_output_that_is_a_file_is_refused(data: Path, tmp_path: Path) -> None:
    (tmp_path / "run").write_text("")

    with pytest.raises(ConfigurationError, match=r"^--output: .*run cannot be a directory"):
        training(data, tmp_path / "run")
