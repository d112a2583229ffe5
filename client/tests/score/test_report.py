"""The page about a scoring run."""

from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest
from typer.testing import CliRunner, Result

from senet_client.report_command import add_commands
from senet_client.score.command import application
from senet_client.score.ending import Exit
from tests.fake_service import scores
from tests.score.conftest import Score

add_commands(application)


def report(*words: str) -> Result:
    return CliRunner().invoke(application, ["report", *words])


class Page(HTMLParser):
    """The pictures and the text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.pictures: list[str] = []
        self.tags: set[str] = set()
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag == "img":
            self.pictures.append(dict(attrs)["src"] or "")

    def handle_data(self, data: str) -> None:
        self.text += data + "\n"


@pytest.mark.parametrize("output", ["out.csv", "out.jsonl", "out.parquet", "folder"])
def test_a_report(score: Score, photos: Path, tmp_path: Path, output: str) -> None:
    (photos / "003.jpg").write_bytes(b"corrupt")
    (photos / "<script>.jpg").write_bytes(b"hostile")
    assert score(output=str(tmp_path / output)) is Exit.PARTIAL
    html = tmp_path / "report.html"

    done = report(str(tmp_path / output), "--html", str(html), "--examples", "3")

    assert done.exit_code == 0, done.output
    page = Page(html.read_text(encoding="utf-8"))
    assert "51 rows of fake:1: 50 with classes, 1 errors." in page.text
    assert "invalid_image" in page.text
    assert "script" not in page.tags
    assert page.pictures
    assert all((tmp_path / unquote(name)).is_file() for name in page.pictures)
    good = {file for file in photos.iterdir() if file.name != "003.jpg"}
    least = sorted(max(scores(file.read_bytes())) for file in good)[:3]
    assert all(f"{score:.1%}" in page.text for score in least)


@pytest.mark.parametrize("name", ["gone.csv", "empty", "text.txt", "other.csv", "broken.parquet"])
def test_what_is_no_output_of_score_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    for other in ("text.txt", "other.csv", "broken.parquet"):
        (tmp_path / other).write_text("a,b\n1,2\n")
    done = report(str(tmp_path / name), "--html", str(tmp_path / "x.html"))
    assert done.exit_code == 2
    assert done.stderr.startswith("error: OUTPUT: ")
    assert not (tmp_path / "x.html").exists()
