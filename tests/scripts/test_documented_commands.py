"""Every command of the documents is one that its program understands."""

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from scripts import compare, evaluate, export_onnx, train

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PROGRAMS: dict[str, Callable[[list[str]], int]] = {
    "scripts.compare": compare.main,
    "scripts.evaluate": evaluate.main,
    "scripts.export_onnx": export_onnx.main,
    "scripts.train": train.main,
}
TARGETS = {"export": "scripts.export_onnx", "train": "scripts.train"}


def commands() -> list[tuple[str, list[str]]]:
    """Program and arguments of each line in a block of shell commands."""
    found = []
    for page in PAGES:
        for block in re.findall(r"^```sh\n(.*?)^```$", page.read_text(), re.DOTALL | re.MULTILINE):
            for line in block.replace("\\\n", " ").splitlines():
                made = re.match(r'make (\w+) ARGS="(.*)"', line)
                run = re.match(r"python -m (scripts\.\w+) (.*)", line)
                if made and made[1] in TARGETS:
                    found.append((TARGETS[made[1]], shlex.split(made[2])))
                elif run and run[1] in PROGRAMS:
                    found.append((run[1], shlex.split(run[2], comments=True)))
    return found


def test_there_are_commands_of_every_program() -> None:
    assert {program for program, _ in commands()} == PROGRAMS.keys()


@pytest.mark.parametrize(("program", "arguments"), commands())
def test_its_options_exist_and_only_its_files_are_missing(
    program: str,
    arguments: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    # An option that does not exist would end the program otherwise, by SystemExit.
    monkeypatch.chdir(tmp_path)
    assert PROGRAMS[program](arguments) == 2
    message = capsys.readouterr().err
    assert message.startswith("error: ")
    assert any(
        word in message for word in ("not a file", "is not a folder", "no class folder", "missing")
    )
