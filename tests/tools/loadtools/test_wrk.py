import subprocess
import sys
from pathlib import Path

import pytest

from app.contract.errors import ConfigurationError
from tests.support.process import ROOT
from tools.loadtools import wrk

OUTPUT = """\
Running 3s test @ http://127.0.0.1:8000/classify
  1 threads and 32 connections
Requests/sec:    400.00
answered_us=0,500000,1000000,1500000,2000000,2500000
answered_us=250000,750000,1250000,1750000,2250000,2750000
bench requests=1200 refused=20 broken=4 us=4000000 p50_us=71500 p99_us=90250
"""


def test_reads_what_the_script_prints() -> None:
    run = wrk.parse(OUTPUT, 3, 2, processor_seconds=0.4, memory_mib=140.0)

    assert (run.requests, run.failed) == (1200, 24)
    assert (run.p50_ms, run.p99_ms) == (71.5, 90.25)
    assert run.busy == pytest.approx(0.1)
    assert run.memory_mib == 140.0


def test_the_answers_of_all_threads_make_the_rate() -> None:
    assert wrk.parse(OUTPUT, 3, 2).rate == pytest.approx(4)


def test_no_answer_in_the_window_is_a_rate_of_nought() -> None:
    silent = "answered_us=\n" + OUTPUT.splitlines()[-1] + "\n"
    assert wrk.parse(silent, 3, 2).rate == 0


def test_says_why_wrk_did_not_come_to_its_end() -> None:
    with pytest.raises(RuntimeError, match=r"unable to connect to 127\.0\.0\.1:1"):
        wrk.parse("unable to connect to 127.0.0.1:1 Connection refused\n", 3, 2)


def test_the_report_names_the_worst_of_several_runs() -> None:
    runs = [wrk.parse(OUTPUT, 3, 2, busy, memory) for busy, memory in ((0.4, 100.0), (0.8, 90.0))]

    busy, memory = wrk.together(runs)
    assert busy == pytest.approx(0.2)
    assert memory == 100.0


def test_a_missing_generator_is_named_with_its_remedy(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(ConfigurationError, match=r"wrk: .*not installed; apt-get install wrk"):
        wrk.find()


def test_the_command_ends_in_one_line_without_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    done = subprocess.run(
        [sys.executable, "-m", "tools.bench", "--quick"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines() == [
        "error: wrk: the load generator is not installed; apt-get install wrk (Debian, Ubuntu)"
    ]
