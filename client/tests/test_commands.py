"""`classify` and `ready` on the command line."""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from senet_client.classify_command import add_commands
from senet_client.score.command import application
from tests.fake_service import FakeService, best_class, listening, scores, url_of
from tests.real_service import draw, needs_service, serving

add_commands(application)


@pytest.fixture
def url(service: FakeService) -> Iterator[str]:
    with listening(service) as server:
        yield url_of(server)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("one.jpg", "two.jpg"):
        (tmp_path / name).write_bytes(name.encode())
    (tmp_path / "bad.jpg").write_bytes(b"corrupt")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(url: str, *words: str, **options: Any) -> Result:
    return CliRunner(env={"SENET_URL": url}).invoke(application, words, **options)


def test_a_table(url: str, folder: Path) -> None:
    done = run(url, "classify", "one.jpg", "two.jpg", "--top-k", "2")
    assert done.exit_code == 0, done.output
    lines = [line.split() for line in done.stdout.splitlines() if "class " in line]
    assert [line[0] for line in lines if len(line) == 4] == ["one.jpg", "two.jpg"]
    for name in (b"one.jpg", b"two.jpg"):
        assert f"class {best_class(name)}" in done.stdout
        assert f"{max(scores(name)):.1%}" in done.stdout


def test_json_has_a_line_for_each_photo(url: str, folder: Path) -> None:
    done = run(url, "classify", "one.jpg", "bad.jpg", "gone.jpg", "--json", "--top-k", "1")
    assert done.exit_code == 3
    good, bad, gone = map(json.loads, done.stdout.splitlines())
    assert good["name"] == "one.jpg"
    assert good["predictions"][0]["class_index"] == best_class(b"one.jpg")
    assert good["attempts"] == 1
    assert bad["error"]["code"] == "invalid_image"
    assert gone["error"]["code"] == "unreadable_image"


def test_what_fails_is_told_beside_the_table(url: str, folder: Path) -> None:
    some = run(url, "classify", "bad.jpg", "one.jpg")
    assert (some.exit_code, some.stderr) == (3, "error: bad.jpg: Corrupt: truncated\n")
    none = run(url, "classify", "bad.jpg")
    assert (none.exit_code, none.stdout) == (1, "")


def test_names_are_no_commands_of_the_terminal(url: str, folder: Path) -> None:
    name = "[bold]\x1b[31m.jpg"
    (folder / name).write_bytes(b"one.jpg")
    done = run(url, "classify", name)
    assert "[bold]\\x1b[31m.jpg" in done.stdout


def test_a_photo_on_standard_input(url: str) -> None:
    done = run(url, "classify", "-", "--json", input=b"photo")
    assert json.loads(done.stdout)["predictions"][0]["class_index"] == best_class(b"photo")


def test_options_travel(url: str, folder: Path, service: FakeService) -> None:
    words = ["--model", "fake", "--version", "1", "--min-score", "0.99"]
    done = run(url, "classify", "one.jpg", *words)
    assert done.exit_code == 0
    _, query, _ = service.requests[-1]
    assert {**query, "top_k": "5"} == {
        "model": "fake", "version": "1", "min_score": "0.99", "top_k": "5",
    }  # fmt: skip


def test_a_service_that_is_not_there(folder: Path) -> None:
    done = run("http://127.0.0.1:1", "classify", "one.jpg")
    assert done.exit_code == 1
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    asked = run("http://127.0.0.1:1", "ready")
    assert (asked.exit_code, asked.stdout) == (1, "not ready\n")


def test_ready(url: str) -> None:
    done = run(url, "ready")
    assert (done.exit_code, done.stdout) == (0, "ready\n")


def test_several_maps_need_a_folder(url: str, folder: Path) -> None:
    done = run(url, "classify", "one.jpg", "two.jpg", "--map", "bad.jpg")
    assert done.exit_code == 2
    assert "name a folder" in done.stderr


@needs_service
def test_maps_of_the_service_itself(folder: Path) -> None:
    (folder / "more").mkdir()
    for name in ("one.jpg", "more/one.jpg", "two.jpg"):
        (folder / name).write_bytes(draw(len(name)))
    with serving() as url:
        assert run(url, "classify", "one.jpg", "--map", "map.png").exit_code == 0
        words = ["one.jpg", "more/one.jpg", "two.jpg", "--map", "maps", "--class-index", "2"]
        assert run(url, "classify", *words).exit_code == 0
        failed = run(url, "classify", "one.jpg", "--map", "maps/one.png/x.png")
        assert failed.exit_code == 1
        assert "cannot be written" in failed.stderr
    files = sorted(path.name for path in (folder / "maps").iterdir())
    assert files == ["one-2.png", "one.png", "two.png"]
    for file in (folder / "map.png", *(folder / "maps").iterdir()):
        with Image.open(io.BytesIO(file.read_bytes())) as image:
            assert (image.format, image.size) == ("PNG", (200, 150))
