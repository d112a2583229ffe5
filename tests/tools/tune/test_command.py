"""`python -m tools.tune`, and `python -m app tune` which becomes it, for real and for a moment."""

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from app.contract.errors import ConfigurationError
from tests.support.process import ROOT, run_to_its_end
from tests.support.waiting import BOUND_SECONDS, eventually
from tools.tune.command import tune


@pytest.fixture
def options(repository: Path) -> list[str | Path]:
    return ["--model", "colours", "--model-repository", repository]


def children_of(process: int) -> list[int]:
    return [
        int(number)
        for number in Path(f"/proc/{process}/task/{process}/children").read_text().split()
    ]


def is_alive(process: int) -> bool:
    with contextlib.suppress(ProcessLookupError):
        os.kill(process, 0)
        return True
    return False


def test_it_finds_settings_that_the_service_accepts(options: list[str | Path]) -> None:
    ended = run_to_its_end(
        "tune", "--slo-p99-ms", "5000", "--seconds", "0.5", "--inference-threads", "1", *options
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    *table, flags, _, _, _, variable = ended.stdout.splitlines()
    assert "requests/s, p99" in table[1]
    assert table[-1].startswith("best: ")
    assert flags == "--precision fp32 --max-batch-size 8 --max-queue-delay-ms 0 --decode-threads 2"
    assert variable == "SENET_DECODE_THREADS=2"


def test_an_objective_that_cannot_be_met(options: list[str | Path]) -> None:
    ended = run_to_its_end("tune", "--slo-p99-ms", "0.001", "--seconds", "0.5", *options)
    assert ended.returncode == 1
    assert ended.stdout.splitlines()[-1].startswith(
        "no settings were found that keep the objective"
    )


def test_an_interruption_stops_the_service_as_well(options: list[str | Path]) -> None:
    words = ["tune", "--slo-p99-ms", "1000", *map(str, options)]
    with subprocess.Popen(
        [sys.executable, "-m", "app", *words], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        eventually(lambda: bool(children_of(process.pid)))
        [service] = children_of(process.pid)
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=BOUND_SECONDS)
    assert process.returncode == 128 + signal.SIGTERM
    assert output.splitlines()[-1] == "interrupted"
    assert not is_alive(service)


@pytest.mark.parametrize(
    ("words", "option"),
    [
        ([], "tune"),
        (["--slo-p99-ms", "0"], "tune"),
        (["--slo-p99-ms", "soon"], "tune"),
        (["--slo-p99-ms", "9", "--port", "eighty"], "port"),
        (["--slo-p99-ms", "9", "--photos", "nowhere"], "photos"),
        (["--slo-p99-ms", "9", "--model-repository", "nowhere"], "model_repository"),
    ],
)
def test_a_mistake_is_told_before_anything_starts(words: list[str], option: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        tune(words, say=pytest.fail)
    assert raised.value.option == option


def test_a_service_that_does_not_start(options: list[str | Path]) -> None:
    words = ["--slo-p99-ms", "9", "--provider", "tensorrt", *map(str, options)]
    with pytest.raises(ConfigurationError, match="does not start: error: provider"):
        tune(words, say=lambda line: None)


def test_an_installed_service_says_where_the_command_is(tmp_path: Path) -> None:
    (tmp_path / "app").symlink_to(ROOT / "app")
    ended = subprocess.run(
        [sys.executable, "-m", "app", "tune", "--slo-p99-ms", "9"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == (
        "error: tune: an installed service does not include it; run python -m tools.tune in a"
        " checkout of the project\n"
    )


def test_a_mistake_is_one_line_on_standard_error() -> None:
    ended = run_to_its_end("tune", "--slo-p99-ms", "soon")
    assert (ended.returncode, ended.stdout) == (2, "")
    [line] = ended.stderr.splitlines()
    assert line.startswith("error: tune: ")
