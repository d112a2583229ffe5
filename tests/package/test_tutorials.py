"""Each tutorial does what it says, with the commands of the wheel."""

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest

from tests.package.tutorials import PAGES, Snippet, lay_out, snippets
from tests.support.waiting import BOUND_SECONDS, eventually

SHELL = "/bin/bash"
RUN = [page for page in PAGES if any(not snippet.reason for snippet in snippets(page))]


def test_most_of_the_tutorials_are_run() -> None:
    assert [page.name for page in RUN] == [
        "from-torchserve.md",
        "notebook-to-kubernetes.md",
        "own-photos.md",
    ]


def test_a_page_says_which_of_its_commands_are_not_run() -> None:
    reasons = [
        (page.name, snippet.reason)
        for page in PAGES
        for snippet in snippets(page)
        if snippet.reason
    ]
    assert sorted(reasons) == [
        ("index.md", "the newcomer's test of CI runs the same lines of the README"),
        ("index.md", "the tests of the wheel run these"),
        ("notebook-to-kubernetes.md", "needs Docker"),
        ("notebook-to-kubernetes.md", "needs a cluster"),
        ("timm-network.md", "downloads weights"),
        ("timm-network.md", "needs the network exported above"),
    ]


@pytest.mark.parametrize("page", RUN, ids=lambda page: page.stem)
def test_its_commands_run(
    page: Path, torch_environment: Path, tmp_path: Path, unused_port: int
) -> None:
    lay_out(tmp_path)
    answers = []
    with ExitStack() as services:
        for snippet in snippets(page):
            if snippet.reason:
                continue
            text = snippet.text.replace("8000", str(unused_port))
            if snippet.runs_on:
                services.enter_context(running(text, torch_environment, tmp_path, unused_port))
                continue
            ended = subprocess.run(
                [*interpreter(snippet, torch_environment), "-c", text],
                cwd=tmp_path,
                env=environment(torch_environment),
                capture_output=True,
                text=True,
                timeout=20 * BOUND_SECONDS,
                check=False,
            )
            assert ended.returncode == 0, f"{told(snippet)}\n{ended.stdout}{ended.stderr}"
            answers.append(ended.stdout)
    if any(snippet.runs_on for snippet in snippets(page)):
        assert any('"label":"rose"' in answer for answer in answers)


@contextmanager
def running(command: str, folder: Path, cwd: Path, port: int) -> Iterator[None]:
    """A command that serves until the page ends."""
    with (cwd / "log").open("wb") as log:
        process = subprocess.Popen(
            [SHELL, "-c", f"exec {command}"],
            cwd=cwd,
            env=environment(folder),
            stdout=log,
            stderr=log,
        )
    try:
        eventually(lambda: process.poll() is not None or is_ready(port))
        assert process.poll() is None, (cwd / "log").read_text()
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(BOUND_SECONDS) == 0


def is_ready(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/readyz", trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


def environment(folder: Path) -> dict[str, str]:
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return variables | {"PATH": f"{folder / 'bin'}:{os.environ['PATH']}"}


def interpreter(snippet: Snippet, folder: Path) -> list[str]:
    shell = [SHELL, "-euo", "pipefail"]
    return shell if snippet.language == "sh" else [str(folder / "bin" / "python")]


def told(snippet: Snippet) -> str:
    return f"this failed:\n{snippet.text}"


@pytest.fixture
def unused_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
