"""`python -m scripts.train` as a user meets it."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from scripts.train import main
from senet import checkpoint
from tests.senet.training.conftest import data as data

OPTIONS = (
    "--architecture=resnet_mini", "--epochs=2", "--size=32", "--evaluation-size=32",
    "--batch-size=6", "--threads=2",
)  # fmt: skip


def arguments(data: Path, output: Path, *options: str) -> list[str]:
    return [f"--data={data}", f"--output={output}", *OPTIONS, *options]


def test_a_killed_training_continues_to_the_same_bits(data: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "scripts.train", *arguments(data, tmp_path / "killed")]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        shown = b""
        # An epoch's line comes after it was saved.
        while b"epoch 1/2" not in shown:
            letter = process.stderr.read(1)
            assert letter, shown.decode()
            shown += letter
        process.kill()
    assert process.returncode == -9

    finished = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "continuing after epoch 1 of 2" in finished.stderr
    assert "checkpoint.pt: top-1 " in finished.stdout
    assert main(arguments(data, tmp_path / "straight")) == 0

    torch.testing.assert_close(
        checkpoint.load(tmp_path / "killed" / "checkpoint.pt").weights,
        checkpoint.load(tmp_path / "straight" / "checkpoint.pt").weights,
        rtol=0,
        atol=0,
    )


def test_each_epoch_leaves_a_line_and_strays_are_named(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (data / "train" / "red" / "notes.txt").write_text("not a photo")
    assert main(arguments(data, tmp_path / "run", "--mean=0.5,0.5,0.5")) == 0
    shown = capsys.readouterr().err
    assert "notes.txt" in shown
    lines = [line for line in shown.splitlines() if "learning rate" in line]
    assert len(lines) == 2
    assert "epoch 1/2  loss " in lines[0]
    assert lines[0].endswith(" left")
    assert "top-1 " in lines[1]


def test_a_finished_training_says_its_result_again(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments(data, tmp_path / "run", "--epochs=1")) == 0
    first = capsys.readouterr()
    before = (tmp_path / "run" / "checkpoint.pt").read_bytes()

    assert main(arguments(data, tmp_path / "run", "--epochs=1")) == 0

    assert capsys.readouterr().out == first.out
    assert (tmp_path / "run" / "checkpoint.pt").read_bytes() == before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--epochs=0"], "error: --epochs: '0': Input should be greater than 0; see --help"),
        (["--size=31"], "error: --size: '31': Input should be greater than or equal to 32"),
        (["--seed=x"], "error: --seed: 'x': Input should be a valid integer"),
        (["--label-smoothing=2"], "error: --label-smoothing: '2': Input should be less than"),
        (["--architecture=vgg"], "error: --architecture: 'vgg' is unknown; choose one of se_"),
        (["--data=missing"], "error: --data: missing/train holds no class folder"),
        (["--classes=missing.txt"], "error: --classes: missing.txt cannot be read"),
        (["--output=/dev/null/run"], "error: --output: /dev/null/run cannot be a directory"),
    ],
)
def test_a_mistake_gets_one_line(
    data: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    message: str,
) -> None:
    code = main(arguments(data, tmp_path / "run", *options))

    written = capsys.readouterr()
    assert code == 2
    assert written.out == ""
    assert written.err.startswith(message)
    assert written.err.count("\n") == 1


def test_a_corrupt_validation_photo_is_named(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (data / "val" / "red" / "6.png").write_text("no photo")

    assert main(arguments(data, tmp_path / "run")) == 2

    written = capsys.readouterr().err
    assert written.count("\n") == 1
    assert "val/red/6.png" in written


def test_the_help_names_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["--help"])

    assert stop.value.code == 0
    shown = capsys.readouterr().out
    for flag in ("--data", "--output", "--classes", "--architecture", "--epochs", "--bf16"):
        assert flag in shown
