"""`python -m app gallery` tells in one file what a model makes of a folder of photos."""

import os
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from app.cli.gallery.command import write_gallery
from app.contract.errors import ConfigurationError
from tests.support.colours import COLOURS
from tests.support.images import encode, photo, png_header, truncated_jpeg
from tests.support.process import run_to_its_end
from tests.support.repository import ManifestDict, write_model
from tests.support.signatures import signature_without, without_output


def folder_of(index: int) -> str:
    return "c{:02x}{:02x}{:02x}".format(*COLOURS[index])


def between(first: int, second: int, share: float) -> tuple[int, int, int]:
    """A colour between two."""
    pairs = zip(COLOURS[first], COLOURS[second], strict=True)
    red, green, blue = (round(a + share * (b - a)) for a, b in pairs)
    return red, green, blue


def put(root: Path, name: str, index: int) -> Path:
    """Writes a photo of one colour; gives its path."""
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode(photo(COLOURS[index])))
    return path


class Page(HTMLParser):
    """The elements and texts of a report."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.texts.append(data.strip())

    def after(self, text: str) -> str:
        return self.texts[self.texts.index(text) + 1]

    def images(self) -> list[str]:
        return [str(attributes["src"]) for tag, attributes in self.elements if tag == "img"]

    def headings(self) -> list[str]:
        """The names of the photos that are shown, in their order."""
        names = iter(self.texts[self.texts.index("Photos", self.texts.index("Photos") + 1) :])
        return [text for text in names if text.endswith((".png", ".jpg"))]


def report(root: Path, repository: Path, *arguments: str) -> Page:
    output = root.parent / "report.html"
    words = [str(root), "--output", str(output), "--model", "colours"]
    told = write_gallery([*words, "--model-repository", str(repository), *arguments])
    assert told.startswith(f"wrote {output}, which shows ")
    return Page(output.read_text())


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "my photos"


def test_the_worst_mistakes_of_class_folders_come_first(root: Path, repository: Path) -> None:
    for number in range(3):
        put(root, f"{folder_of(3)}/{number}.png", 3)
    put(root, f"{folder_of(5)}/sure.png", 60)
    put(root, f"{folder_of(5)}/right.png", 5)
    (root / folder_of(5) / "near.png").write_bytes(encode(photo(between(5, 6, 0.75))))
    put(root, "elsewhere/odd.png", 9)

    page = report(root, repository)
    assert page.after("Top-1") == "66.67% (4 of 6 photos in class folders)"
    assert page.after("Photos") == "7"
    assert page.headings()[:2] == [f"{folder_of(5)}/sure.png", f"{folder_of(5)}/near.png"]
    assert "Photos in no class's folder: 1 (elsewhere)." in page.texts
    assert page.after("colour 5") == "3"  # in the table of classes, the lowest recall first
    mistakes = [own for tag, own in page.elements if tag == "li" and own.get("class") == "mistake"]
    assert len(mistakes) == 2
    # The photo and a map; of mistakes the map of the true class too.
    assert len(page.images()) == 2 * 3 + 5 * 2
    assert "where it saw colour 60" in page.texts
    cells = [text for text in page.texts[page.texts.index("Confusion") :] if text.isdigit()]
    assert cells[:4] == ["3", "1", "1", "1"]


def test_without_class_folders_the_least_sure_come_first(root: Path, repository: Path) -> None:
    put(root, "sure.png", 63)
    (root / "unsure.png").write_bytes(encode(photo(between(5, 6, 0.5))))
    page = report(root, repository)
    assert page.headings() == ["unsure.png", "sure.png"]
    assert "Confusion" not in page.texts
    assert "Top-1" not in page.texts


def test_folders_may_have_the_classes_names(root: Path, repository: Path) -> None:
    put(root, "colour 7/a.png", 7)
    assert report(root, repository).after("Top-1").startswith("100.00% (1 of 1")


def test_the_file_needs_nothing_else_and_runs_nothing(root: Path, repository: Path) -> None:
    put(root, "a.png", 7)
    page = report(root, repository)
    assert all(source.startswith("data:image/jpeg;base64,") for source in page.images())
    text = (root.parent / "report.html").read_text()
    assert set(re.findall(r"(?:src|href|action|url)\s*[=(]\s*[\"']?(\w+:?)", text)) == {"data:"}
    [policy] = [own["content"] for tag, own in page.elements if own.get("http-equiv")]
    assert policy is not None
    assert re.fullmatch(
        r"default-src 'none'; img-src data:; style-src 'sha256-[\w+/=]{44}'", policy
    )
    assert {tag for tag, _ in page.elements} & {"script", "a", "link", "iframe"} == set()


@pytest.mark.parametrize(
    ("name", "told"),
    [
        (b"<script>alert(1)<\\script>.png", "<script>alert(1)<\\script>.png"),
        (b'" onload="alert(1).png', '" onload="alert(1).png'),
        (b"'><img src=x onerror=alert(1)>.png", "'><img src=x onerror=alert(1)>.png"),
        (b"&lt;b&gt;.png", "&lt;b&gt;.png"),
        (b"\xff\xfe.png", "\\udcff\\udcfe.png"),
        ("gnp\u202egpj.png".encode(), "gnp\\u202egpj.png"),
        (b"two\nlines\x1b[31m.png", "two\\nlines\\x1b[31m.png"),
        (b"x" * 200 + b".png", f"{'x' * 60} \u2026 {'x' * 56}.png"),
    ],
)
def test_a_name_is_text_and_nothing_else(
    root: Path, repository: Path, name: bytes, told: str
) -> None:
    put(root, os.fsdecode(name), 4)
    put(root, "plain.png", 4)
    put(root, f"empty-{os.fsdecode(name[:100])}.png", 4).write_bytes(b"")
    page = report(root, repository)
    assert told in page.texts
    assert len(page.images()) == 4
    for tag, attributes in page.elements:
        assert tag not in ("script", "b")
        assert not [key for key in attributes if key.startswith("on")]


def test_class_names_are_text_as_well(root: Path, tmp_path: Path) -> None:
    def change(manifest: ManifestDict) -> None:
        for label in manifest["labels"]:
            label["name"] = '"><script>alert(1)</script>'

    write_model(tmp_path / "hostile", change=change)
    put(root, f"{folder_of(3)}/a.png", 3)
    put(root, f"{folder_of(3)}/b.png", 4)
    page = report(root, tmp_path / "hostile")
    assert "script" not in {tag for tag, _ in page.elements}


def test_what_is_no_photo_is_named_and_the_others_are_shown(root: Path, repository: Path) -> None:
    put(root, "good.png", 4)
    (root / "empty.jpg").write_bytes(b"")
    (root / "text.jpg").write_text("no picture at all")
    (root / "cut.jpg").write_bytes(truncated_jpeg())
    (root / "bomb.png").write_bytes(png_header(60000, 60000))
    (root / "drawing.svg").write_text("<svg onload='alert(1)'/>")
    (root / ".hidden.png").write_bytes(b"")
    (root / ".hidden").mkdir()
    put(root / ".hidden", "a.png", 4)
    (root / "dangling.png").symlink_to("nowhere.png")
    (root / "loop").symlink_to(root, target_is_directory=True)
    os.mkfifo(root / "pipe.png")
    page = report(root, repository)
    assert page.headings()[0] == "good.png"
    assert (page.after("Photos"), page.after("Not classified")) == ("1", "4")
    told = [text for text in page.texts if re.match(r"(empty|text|cut|bomb)\.", text)]
    assert [text.partition(":")[0] for text in told] == [
        "bomb.png", "cut.jpg", "empty.jpg", "text.jpg",
    ]  # fmt: skip
    assert not [text for text in page.texts if re.match(r"(drawing|\.hidden|dangling|pipe)", text)]


def test_a_file_beyond_the_limit_is_not_read(
    root: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SENET_MAX_BODY_BYTES", "1000")
    put(root, "large.png", 4)
    page = report(root, repository)
    assert "large.png: larger than 1000 bytes" in page.texts


def test_all_are_counted_and_only_the_first_are_shown(root: Path, repository: Path) -> None:
    for number in range(20):
        put(root, f"{folder_of(3)}/{number:02}.png", 3 if number != 11 else 30)
    page = report(root, repository, "--most", "2")
    assert page.after("Photos") == "20"
    assert page.headings()[0] == f"{folder_of(3)}/11.png"
    assert len(page.headings()) == 2
    assert "Shown: 2 of 20." in " ".join(page.texts)


def test_of_many_classes_the_most_frequent_confusions_are_listed(
    root: Path, repository: Path
) -> None:
    for index in range(62):
        put(root, f"{folder_of(index)}/a.png", index + 1)
        put(root, f"{folder_of(2)}/{index}.png", 40)
    page = report(root, repository, "--most", "1")
    assert "The 50 most frequent" in page.texts
    confusions = page.texts[page.texts.index("The 50 most frequent") :]
    assert confusions[4:7] == ["colour 2", "colour 40", "62"]


def test_a_model_without_maps_has_photos_alone(root: Path, tmp_path: Path) -> None:
    write_model(
        tmp_path / "mapless",
        model=without_output("cam"),
        change=lambda manifest: signature_without(manifest, "class_activation_map"),
    )
    put(root, "a.png", 4)
    assert len(report(root, tmp_path / "mapless").images()) == 1


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["nowhere", "--output", "a.html"], "DIR: nowhere is not a folder"),
        (["empty", "--output", "a.html"], "DIR: no photo below empty"),
        (["empty", "--output", "empty"], "--output: empty cannot be a file"),
        (["empty", "--output", "nowhere/a.html"], "--output: nowhere/a.html cannot be a file"),
        (["empty", "--output", "a.html", "--model", "cats"], "model: cats is not in"),
    ],
)
def test_a_mistake_is_told_in_one_line(
    arguments: list[str],
    told: str,
    repository: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SENET_MODEL", "colours")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigurationError) as raised:
        write_gallery([*arguments, "--model-repository", str(repository)])
    assert str(raised.value).startswith(told)
    assert {path.name for path in tmp_path.iterdir()} == {"empty"}


@pytest.mark.parametrize("most", ["0", "-1", "many", "9" * 5000])
def test_the_number_of_photos_must_be_one(most: str, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="2"):
        write_gallery([str(tmp_path), "--output", "a.html", "--most", most])


def test_the_command(root: Path, repository: Path, tmp_path: Path) -> None:
    put(root, "a.png", 4)
    output = tmp_path / "out.html"
    output.write_text("old")
    model = ("--model", "colours", "--model-repository", repository)
    ended = run_to_its_end("gallery", root, "--output", output, *model)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout == f"wrote {output}, which shows 1 of 1 photos\n"
    assert output.read_text().startswith("<!doctype html>")
    assert {path.name for path in tmp_path.iterdir()} == {"my photos", "out.html"}
