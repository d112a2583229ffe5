import json
import os
import tarfile
import zipfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import fsspec
import pyarrow as pa
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from pyarrow import parquet

from senet_client import errors
from senet_client.score.failures import WrongOption
from senet_client.score.inputs import Input
from senet_client.score.listing import list_inputs


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


def test_links_are_followed_and_a_folder_is_listed_once(folder: Path) -> None:
    (folder / "links").mkdir()
    (folder / "links" / "x.jpg").symlink_to(folder / "photos" / "b.jpg")
    (folder / "links" / "loop").symlink_to(folder / "links")
    (folder / "links" / "deep").symlink_to(folder / "photos" / "deep")
    (folder / "links" / "deeper").symlink_to(folder / "photos" / "deep" / "er")

    assert listed("links") == ["links/deep/c.webp", "links/deep/er/d.jpeg", "links/x.jpg"]


def test_what_is_listed_and_cannot_be_read_is_listed(folder: Path) -> None:
    (folder / "odd").mkdir()
    (folder / "odd" / "dangling.jpg").symlink_to("nowhere")
    (folder / "odd" / "itself.jpg").symlink_to("itself.jpg")
    os.mkfifo(folder / "odd" / "pipe.jpg")
    Path("odd", "well.jpg").write_bytes(b"well")

    for argument in ("odd", "odd/*.jpg"):
        found = list(list_inputs([argument], "path"))
        assert [item.path for item in found] == [
            "odd/dangling.jpg",
            "odd/itself.jpg",
            "odd/pipe.jpg",
            "odd/well.jpg",
        ]
        assert found[3].read(1000) == b"well"
        for item, message in zip(found, ["No such file", "symbolic links", "pipe"], strict=False):
            with pytest.raises(errors.UnreadableImage, match=message):
                item.read(1000)


def test_a_folder_below_that_cannot_be_listed_is_a_row(folder: Path) -> None:
    (folder / "some" / "below").mkdir(parents=True)
    Path("some", "a.jpg").write_bytes(b"a")
    # As a folder without permission is for everybody but root, who runs tests in containers.
    listdir_of_all = os.listdir

    def listdir(path: str) -> list[str]:
        if path == "some/below":
            raise PermissionError(13, "Permission denied", path)
        return listdir_of_all(path)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(os, "listdir", listdir)
        assert listed("some") == ["some/a.jpg", "some/below"]


def test_what_macos_puts_beside_files_is_no_image(folder: Path) -> None:
    for name in ("mac/._a.jpg", "mac/a.jpg", "mac/__MACOSX/._b.jpg", "mac/__MACOSX/b.jpg"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")
    with tarfile.open("mac.tar", "w") as archive:
        archive.add("mac")
    with zipfile.ZipFile("mac.zip", "w") as zipped:
        for path in (folder / "mac").rglob("*.jpg"):
            zipped.write(path, path.relative_to(folder))

    assert listed("mac") == ["mac/a.jpg"]
    assert listed("mac.tar") == ["tar://mac/a.jpg::mac.tar"]
    assert listed("zip://**/*.jpg::mac.zip") == ["zip://mac/a.jpg::mac.zip"]
    assert listed("mac/._a.jpg") == ["mac/._a.jpg"]  # who names it means it


def test_members_of_a_zip_archive_are_read_and_may_be_fed_back(folder: Path) -> None:
    with zipfile.ZipFile("photos.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ALL:
            archive.write(name)

    found = list(list_inputs(["zip://**::photos.zip"], "path"))

    assert sorted(item.path for item in found) == [f"zip://{name}::photos.zip" for name in ALL]
    with ThreadPoolExecutor(8) as pool:  # they share a file
        read = list(pool.map(lambda item: item.read(1000), found * 20))
    assert read == [item.path.split("photos/")[1].split("::")[0].encode() for item in found] * 20
    _csv(folder / "list.csv", "path", [item.path for item in found])
    assert contents("list.csv") == read[: len(found)]


def test_an_outputs_paths_may_be_fed_back_from_anywhere(folder: Path) -> None:
    odd = os.fsdecode(b"odd\xff.jpg")
    Path("photos", odd).write_bytes(b"odd")
    with tarfile.open("my.tar", "w", encoding="utf-8") as archive:
        archive.add("photos")
    (folder / "results").mkdir()
    paths = listed("my.tar", "photos")
    lines = [
        {"index": number, "path": path, "error_code": None, "model_digest": "x"}
        for number, path in enumerate(paths)
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (folder / "results" / "out.jsonl").write_text(text)

    assert listed("results/out.jsonl") == paths
    assert contents("results/out.jsonl") == contents("my.tar", "photos")
    assert b"odd" in contents("results/out.jsonl")


@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_archives_are_folders_and_patterns_too(folder: Path, kind: str) -> None:
    with tarfile.open("my.tar", "w") as archive, zipfile.ZipFile("my.zip", "w") as zipped:
        for name in (*ALL, "photos/notes.txt"):
            archive.add(name)
            zipped.write(name)
    paths = [f"{kind}://{name}::my.{kind}" for name in sorted(ALL)]

    assert sorted(listed(f"{kind}://photos::my.{kind}")) == paths
    assert sorted(listed(f"{kind}://**/*.jpg::my.{kind}")) == paths[1:2]
    assert contents(f"{kind}://photos/b.jpg::my.{kind}") == [b"b.jpg"]


def test_a_protocol_that_does_not_exist_is_a_row(folder: Path) -> None:
    _csv(folder / "list.csv", "path", ["nosuch://x/a.jpg", "photos/b.jpg"])

    bad, good = map(readable, list_inputs(["list.csv"], "path"))

    assert "Protocol not known: nosuch" in bad
    assert good == "b.jpg"


def test_a_member_that_an_archive_does_not_hold_is_a_row(folder: Path) -> None:
    with tarfile.open("my.tar", "w") as archive:
        archive.add("photos")
    _csv(folder / "list.csv", "path", ["tar://gone.jpg::my.tar", "tar://photos/b.jpg::my.tar"])

    gone, there = list_inputs(["list.csv"], "path")

    with pytest.raises(errors.UnreadableImage, match="no such member"):
        gone.read(1000)
    assert there.read(1000) == b"b.jpg"


def test_one_cut_off_archive_of_several_is_rows(folder: Path) -> None:
    for name in ("1.tar", "2.tar"):
        with tarfile.open(name, "w", format=tarfile.USTAR_FORMAT) as archive:
            archive.add("photos/b.jpg")
            archive.add("photos/a.PNG")
    os.truncate("1.tar", 3 * 512 + 2)  # two bytes into the second image
    (folder / "3.tar").write_bytes(b"no archive" * 100)

    found = list(list_inputs(["*.tar"], "path"))

    assert [(item.path, readable(item)) for item in found] == [
        ("tar://photos/b.jpg::1.tar", "b.jpg"),
        ("tar://photos/a.PNG::1.tar", "the file ends before the image does"),
        ("1.tar", "it is not a readable tar archive (unexpected end of data)"),
        ("tar://photos/b.jpg::2.tar", "b.jpg"),
        ("tar://photos/a.PNG::2.tar", "a.PNG"),
        ("3.tar", "it is not a readable tar archive (invalid header)"),
    ]


def readable(found: Input) -> str:
    """What an input holds, or why it cannot be read."""
    try:
        return found.read(1000).decode()
    except errors.UnreadableImage as error:
        return error.message


def test_empty_lines_of_a_manifest_are_no_rows(folder: Path) -> None:
    (folder / "list.jsonl").write_bytes(
        b'\xef\xbb\xbf{"path": "photos/b.jpg"}\r\n\r\n  \n{"path": "photos/b.jpg"}\n\n'
    )
    (folder / "list.csv").write_text("path\n\nphotos/b.jpg\n\nphotos/b.jpg\n\n")

    assert contents("list.jsonl") == contents("list.csv") == [b"b.jpg", b"b.jpg"]


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
        ("bad.tar", "bad.tar is not a readable tar archive"),
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
    """What boto raises is not an OSError either."""


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
