import json
import os
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import fsspec
import pyarrow as pa
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from pyarrow import parquet

from senet_client import errors
from senet_client.score.failures import WrongOption
from senet_client.score.listing import Input, list_inputs


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("b.jpg", "a.PNG", "notes.txt", "deep/c.webp", "deep/er/d.jpeg"):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    return tmp_path


def listed(*arguments: str, column: str = "path") -> list[str]:
    return [found.path for found in list_inputs(arguments, column)]


def contents(*arguments: str, column: str = "path") -> list[bytes]:
    return [found.read(1000) for found in list_inputs(arguments, column)]


ALL = ["photos/a.PNG", "photos/b.jpg", "photos/deep/c.webp", "photos/deep/er/d.jpeg"]


def test_a_folder_gives_its_images_in_order() -> None:
    assert listed("photos") == ALL
    assert contents("photos") == [b"a.PNG", b"b.jpg", b"deep/c.webp", b"deep/er/d.jpeg"]


def test_a_file_that_is_named_is_an_image_whatever_its_suffix() -> None:
    assert contents("photos/notes.txt") == [b"notes.txt"]


def test_patterns() -> None:
    assert listed("photos/*.jpg") == ["photos/b.jpg"]
    assert listed("photos/**/*.jp*g") == ["photos/b.jpg", "photos/deep/er/d.jpeg"]


def test_a_name_that_looks_like_a_pattern_is_a_name(folder: Path) -> None:
    (folder / "what[1].jpg").write_bytes(b"what")

    assert contents("what[1].jpg") == [b"what"]


def test_what_an_earlier_argument_listed_is_left_out() -> None:
    assert listed("photos/deep", "photos") == [*ALL[2:], *ALL[:2]]
    assert listed("photos/b.jpg", "./photos/b.jpg") == ["photos/b.jpg"]


def test_links_to_files_count_and_links_to_folders_do_not(folder: Path) -> None:
    (folder / "links").mkdir()
    (folder / "links" / "x.jpg").symlink_to(folder / "photos" / "b.jpg")
    (folder / "links" / "loop").symlink_to(folder / "links")
    (folder / "links" / "dangling.jpg").symlink_to("nowhere")

    assert listed("links") == ["links/x.jpg"]


def _csv(path: Path, column: str, values: Sequence[str]) -> None:
    path.write_text("\ufeffid," + column + "\n" + "".join(f'1,"{value}"\n' for value in values))


def _jsonl(path: Path, column: str, values: Sequence[str]) -> None:
    path.write_text("".join(json.dumps({column: value, "id": 1}) + "\n" for value in values))


def _parquet(path: Path, column: str, values: Sequence[str]) -> None:
    parquet.write_table(pa.table({"id": [1] * len(values), column: values}), path)


WRITERS = {"list.csv": _csv, "list.jsonl": _jsonl, "list.parquet": _parquet}


@pytest.mark.parametrize("name", WRITERS)
def test_manifests_name_images_relative_to_themselves(folder: Path, name: str) -> None:
    names = ["b.jpg", str(folder / "photos" / "a.PNG"), "b.jpg"]
    WRITERS[name](folder / "photos" / name, "file", names)

    assert listed(f"photos/{name}", column="file") == names
    assert contents(f"photos/{name}", column="file") == [b"b.jpg", b"a.PNG", b"b.jpg"]


@pytest.mark.parametrize("name", WRITERS)
def test_a_manifest_without_the_column_says_which_there_are(folder: Path, name: str) -> None:
    WRITERS[name](folder / name, "file", ["b.jpg"])

    with pytest.raises(WrongOption, match=r"--column: list\.\w+ has no column 'path', only .*file"):
        listed(name)


@pytest.mark.parametrize("name", WRITERS)
def test_a_manifest_row_without_a_path_is_told(folder: Path, name: str) -> None:
    WRITERS[name](folder / name, "path", ["photos/b.jpg", ""])

    with pytest.raises(WrongOption, match="row 2 has no 'path'"):
        listed(name)


@pytest.mark.parametrize("name", ["list.csv", "list.jsonl", "list.parquet"])
def test_a_manifest_that_is_none_is_told(folder: Path, name: str) -> None:
    (folder / name).write_bytes(b'path\n"\xff\xfe\n\x00"x')

    with pytest.raises(WrongOption, match=r"INPUT: list"):
        listed(name)


def test_archives_give_their_members(folder: Path) -> None:
    with tarfile.open("photos.tar", "w") as archive:
        archive.add("photos")

    found = list(list_inputs(["photos.tar"], "path"))

    assert [item.path for item in found] == [f"tar://{name}::photos.tar" for name in sorted(ALL)]
    assert [item.read(1000) for item in found] == [
        Path(name).relative_to("photos").as_posix().encode() for name in sorted(ALL)
    ]
    # The name is one that fsspec understands.
    with fsspec.open(found[0].path) as file:
        assert file.read() == found[0].read(1000)


def test_a_member_cut_off_since_is_unreadable(folder: Path) -> None:
    with tarfile.open("photos.tar", "w") as archive:
        archive.add("photos/b.jpg")
    (found,) = list_inputs(["photos.tar"], "path")
    os.truncate("photos.tar", 514)

    with pytest.raises(errors.UnreadableImage, match="ends before"):
        found.read(1000)


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("gone", "gone does not exist"),
        ("empty", "empty holds no image"),
        ("*.gif", r"\*.gif holds no image"),
        ("empty.tar", "empty.tar holds no image"),
        ("photos.tar.gz", "photos.tar.gz is compressed"),
        ("bad.tar", "bad.tar is no readable tar archive"),
        ("nosuch://x/y.jpg", "nosuch"),
    ],
)
def test_what_leads_to_no_image_is_told(folder: Path, argument: str, message: str) -> None:
    (folder / "empty").mkdir()
    (folder / "photos.tar.gz").touch()
    (folder / "bad.tar").write_bytes(b"x" * 1000)
    with tarfile.open("empty.tar", "w"):
        pass

    with pytest.raises(WrongOption, match=message):
        listed(argument)


def test_remote_files_folders_and_patterns() -> None:
    memory = fsspec.filesystem("memory")
    memory.pipe({"/bucket/a.jpg": b"a", "/bucket/deep/b.png": b"b", "/bucket/c.txt": b"c"})

    assert listed("memory://bucket") == ["memory:///bucket/a.jpg", "memory:///bucket/deep/b.png"]
    assert contents("memory://bucket") == [b"a", b"b"]
    assert contents("memory://bucket/*.txt", "memory://bucket/a.jpg") == [b"c", b"a"]
    with pytest.raises(errors.ImageTooLarge):
        Input("", "memory://bucket/a.jpg").read(0)
    with pytest.raises(errors.UnreadableImage):
        Input("", "memory://bucket/gone.jpg").read(10)


class Guarded(MemoryFileSystem):  # type: ignore[misc]  # fsspec has no types
    """A remote file system whose errors are its own, as those of the clouds' are."""

    protocol = "guarded"

    def info(self, path: str, **_: Any) -> Any:
        raise NoCredentialsError(f"no credentials\nfor {path}")


class NoCredentialsError(Exception):
    """What boto raises is no OSError either."""


@pytest.mark.parametrize("name", ["bucket", "bucket/*.jpg", "bucket/list.csv", "bucket/a.tar"])
def test_errors_of_a_remote_file_system_end_in_one_line(name: str) -> None:
    fsspec.register_implementation("guarded", Guarded, clobber=True)

    with pytest.raises(WrongOption, match=r"INPUT: guarded://.* cannot be listed") as refused:
        listed(f"guarded://{name}")

    assert "no credentials" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_remote_manifest_names_images_relative_to_itself() -> None:
    memory = fsspec.filesystem("memory")
    memory.pipe({"/lists/l.csv": b"path\nx/a.jpg\n", "/lists/x/a.jpg": b"a"})

    assert contents("memory://lists/l.csv") == [b"a"]


def test_names_in_a_json_manifest_that_are_no_text_are_shown_too(folder: Path) -> None:
    name = os.fsdecode(b"odd\xff.jpg")
    (folder / name).write_bytes(b"odd")
    _jsonl(folder / "list.jsonl", "path", [name, "\ud800.jpg"])

    found, impossible, _ = list_inputs(["list.jsonl", "photos/deep/c.webp"], "path")

    assert (found.path, impossible.path) == ("odd\\xff.jpg", "\\ud800.jpg")
    assert found.read(1000) == b"odd"
    with pytest.raises(errors.UnreadableImage):
        impossible.read(1000)


def test_names_that_are_no_text_are_shown_and_read(folder: Path) -> None:
    name = os.fsdecode(b"odd\xff\nname.jpg")
    (folder / "odd").mkdir()
    Path("odd", name).write_bytes(b"odd")

    (found,) = list_inputs(["odd"], "path")

    assert found.path == "odd/odd\\xff\nname.jpg"
    assert found.path.encode()
    assert found.read(1000) == b"odd"
