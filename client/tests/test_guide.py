"""The programs and commands of docs/client.md run, before the service itself."""

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.real_service import ROOT, draw, needs_service, serving

PAGE = ROOT / "docs" / "client.md"
CLIENT = Path(__file__).parents[1]
_BLOCK = re.compile(
    r"(?:^<!-- not run: (?P<reason>[^\n]+) -->\n)?^```(?P<language>\w*)\n(?P<text>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)


def blocks(language: str) -> list[str]:
    """The page's blocks of a language that are run, in order."""
    return [
        block["text"]
        for block in _BLOCK.finditer(PAGE.read_text(encoding="utf-8"))
        if block["language"] == language and not block["reason"]
    ]


def test_the_page_says_what_is_not_run() -> None:
    reasons = [block["reason"] for block in _BLOCK.finditer(PAGE.read_text(encoding="utf-8"))]
    assert list(filter(None, reasons)) == [
        "the tests of the client's wheel install it",
        "needs a cluster",
        "needs Docker and a cluster",
        "a measurement",
    ]


def test_the_programs_are_typed(tmp_path: Path) -> None:
    for number, text in enumerate(blocks("python")):
        (tmp_path / f"program_{number}.py").write_text(text, encoding="utf-8")
    words = [sys.executable, "-m", "mypy", "--strict", *map(str, sorted(tmp_path.glob("*.py")))]
    done = subprocess.run(words, cwd=CLIENT, capture_output=True, text=True, check=False)  # noqa: S603 - ours
    assert done.returncode == 0, done.stdout


@needs_service
def test_the_programs_and_commands_run(tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    for name in ("photo.jpg", "more/1.jpg", "more/2.jpg"):
        (tmp_path / name).write_bytes(draw(len(name)))
    with serving() as url:
        environment = {
            **os.environ,
            "SENET_URL": url,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        }
        for language, interpreter in (("python", [sys.executable]), ("sh", ["bash", "-e"])):
            for text in blocks(language):
                done = subprocess.run(  # noqa: S603 - the page's own
                    [*interpreter, "-c", text.replace("http://127.0.0.1:8000", url)],
                    cwd=tmp_path,
                    env=environment,
                    capture_output=True,
                    text=True,
                    check=False,
                )
                assert done.returncode == 0, f"{text}\n{done.stdout}{done.stderr}"
    made = {"map.png", "scores.parquet", "unsure.jsonl", "found.csv", "report.html"}
    assert made <= {path.name for path in tmp_path.iterdir()}
