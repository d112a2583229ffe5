"""Do the tests that need a card pass on one?"""

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryFile

from tools.gpu.plan import Plan

_SECONDS = 100
_MARKS = ("needs_cuda", "needs_card")
# What tests/conftest.py and pyproject.toml name; the machine may have others, which may warn.
_PLUGINS = ("pytest_asyncio.plugin", "_hypothesis_pytestplugin")
_NONE_SELECTED = 5
_MOST_SAID = 6000


def measure(plan: Plan) -> None:
    """Writes the report."""
    for mark in _MARKS:
        with plan.notes.attempt(mark):
            _run(plan, mark)


def _run(plan: Plan, mark: str) -> None:
    files = [
        str(file)
        for file in sorted(Path("tests").rglob("test_*.py"))
        if f"mark.{mark}" in file.read_text()
    ]
    plugins = [part for plugin in _PLUGINS for part in ("-p", plugin)]
    command = [
        sys.executable, "-m", "pytest", "-v", "--tb=short", "--durations=5", "-m", mark,
        *plugins, "-p", "no:cacheprovider",
        # Numpy, onnx and PyTorch are the machine's, of other versions than those that are pinned.
        "-W", "default", *files,
    ]  # fmt: skip
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    with TemporaryFile("w+", errors="replace") as output:
        try:
            done = subprocess.run(  # noqa: S603 - our own command
                command, stdout=output, stderr=subprocess.STDOUT, timeout=_SECONDS, check=False,
                env=environment,
            )  # fmt: skip
        finally:
            # However it ends: what has run by then is worth knowing.
            output.seek(0)
            plan.notes.say(f"`pytest -m {mark}`:\n\n```\n{output.read()[-_MOST_SAID:]}```\n")
    passed = (0,) if plan.provider == "cuda" else (0, _NONE_SELECTED)
    if done.returncode not in passed:
        raise RuntimeError(f"pytest exited with {done.returncode}")
