"""The command: each step leaves its report, however it ends."""

from pathlib import Path

import pytest

from tools.gpu import __main__ as command
from tools.gpu.card import watched
from tools.gpu.notes import Notes


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr("sys.argv", ["tools.gpu", *arguments])
    return command.main()


def test_a_report_grows_line_by_line(tmp_path: Path) -> None:
    file = tmp_path / "new" / "report.md"
    notes = Notes(file, "engine")
    notes.table("batch", "images/s")
    notes.row(8, 1234.5)
    assert file.read_text() == (
        "## engine\n\n\n| batch | images/s |\n| --- | --- |\n| 8.00 | 1,234 |\n"
    )
    notes.row("64", None)
    assert file.read_text().endswith("| 64 | - |\n")


def test_a_step_that_fails_is_written_down_and_the_next_one_runs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    output = tmp_path / "report"
    code = run(
        monkeypatch, "limits", "processes", "--provider", "cpu", "--work", str(tmp_path),
        "--output", str(output),
    )  # fmt: skip
    assert code == 1
    for name in ("limits", "processes"):
        report = (output / f"{name}.md").read_text()
        assert "**failed:**" in report
        assert "repository" in report
        assert "took" in report


def test_without_a_card_its_utilisation_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with watched() as seen:
        pass
    assert seen.mean is None


def test_a_measurement_that_fails_is_written_down_and_counted(tmp_path: Path) -> None:
    notes = Notes(tmp_path / "report.md", "engine")
    with notes.attempt("batches of 64"):
        raise RuntimeError("out of\nmemory")
    with notes.attempt("batches of 8"):
        notes.say("1,000 images/s")
    assert notes.failures == 1
    assert (
        "**failed:** batches of 64: RuntimeError: out of memory\n"
        in (tmp_path / "report.md").read_text()
    )
