"""The plugin of all suites, in a suite of its own."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PLUGINS = Path(__file__).parent / "plugins"
SUITE = {
    "test_passing.py": """
import pytest

def test_passes(): pass

@pytest.mark.slow
def test_slow(): pass

@pytest.mark.needs_data("photos")
def test_data(): pass

@pytest.mark.xfail
def test_expected_to_fail(): assert False
"""
}
SKIPPING = {
    "test_call.py": "def test_it(): pytest.skip('no tool')",
    "test_mark.py": "@pytest.mark.skip(reason='no tool')\ndef test_it(): pass",
    "test_condition.py": "@pytest.mark.skipif(True, reason='no tool')\ndef test_it(): pass",
    "test_fixture.py": "@pytest.fixture\ndef it(): pytest.skip('no tool')\ndef test_it(it): pass",
    "test_module.py": "pytest.skip('no tool', allow_module_level=True)",
    "test_package.py": "pytest.importorskip('no_such_package', reason='no tool')",
}


def run(
    folder: Path, suite: dict[str, str], *words: str, ci: bool
) -> "subprocess.CompletedProcess[str]":
    for name, text in suite.items():
        (folder / name).write_text(f"import pytest\n{text}\n")
    (folder / "pytest.ini").write_text("[pytest]\nmarkers =\n    slow\n    needs_data\n")
    outside = {"CI", "PYTEST_ADDOPTS"}
    environment = {name: value for name, value in os.environ.items() if name not in outside}
    environment |= {"PYTHONPATH": str(PLUGINS), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    environment |= {"CI": "true"} if ci else {}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "not_run", "-p", "no:cacheprovider", *words],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("words", [(), ("--fail-on-skip",)])
def test_a_skip_is_a_failure_where_ci_is_set_or_if_asked_for(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    assert run(tmp_path, SUITE | SKIPPING, ci=False).returncode == 0
    refused = run(
        tmp_path, SUITE | SKIPPING, "--continue-on-collection-errors", *words, ci=not words
    )
    assert refused.returncode != 0
    assert set(re.findall(r"^(?:FAILED|ERROR) (\w+\.py)", refused.stdout, re.MULTILINE)) == set(
        SKIPPING
    )
    assert "(--fail-on-skip): Skipped: no tool" in refused.stdout


def test_an_expected_failure_is_no_skip(tmp_path: Path) -> None:
    assert run(tmp_path, SUITE, ci=True).returncode == 0


def test_what_is_deselected_is_counted_by_its_reason(tmp_path: Path) -> None:
    words = ("-m", "not slow and not needs_data", "-k", "not passes")
    said = run(tmp_path, SUITE, *words, ci=True)
    assert said.returncode == 0
    assert "deselected: 1 slow\n" in said.stdout
    assert "deselected: 1 that need the data set photos\n" in said.stdout
    assert "deselected: 1 by their names or marks\n" in said.stdout
