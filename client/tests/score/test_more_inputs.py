"""Shards, zip archives, images in Parquet, standard input, and columns that are kept."""

import io
import json
import sys
import tarfile
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from senet_client import errors
from senet_client.score.braces import expanded
from senet_client.score.ending import Exit
from senet_client.score.failures import WrongOption
from senet_client.score.inputs import Input
from senet_client.score.listing import list_inputs
from tests.fake_service import best_class
from tests.score.conftest import Score, read_rows


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def listed(*arguments: str, column: str = "path", keep: Sequence[str] = ()) -> list[Input]:
    return list(list_inputs(arguments, column, keep))


def stdin(monkeypatch: pytest.MonkeyPatch, text: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text)))


@pytest.mark.parametrize(
    ("argument", "names"),
    [
        ("a-{000..002}.tar", ["a-000.tar", "a-001.tar", "a-002.tar"]),
        ("a-{9..11}.tar", ["a-9.tar", "a-10.tar", "a-11.tar"]),
        ("a-{0..2}.tar", ["a-0.tar", "a-1.tar", "a-2.tar"]),
        ("a-{10..9}", ["a-10", "a-9"]),
        ("a-{8..010}", ["a-008", "a-009", "a-010"]),
        ("a-{3..1}", ["a-3", "a-2", "a-1"]),
        ("{a,b}/{08..09}.jpg", ["a/08.jpg", "a/09.jpg", "b/08.jpg", "b/09.jpg"]),
        ("{a}", ["{a}"]),
        ("plain.jpg", ["plain.jpg"]),
    ],
)
def test_braces(argument: str, names: list[str]) -> None:
    assert list(expanded(argument)) == names


def test_braces_that_stand_for_too_much_are_refused() -> None:
    with pytest.raises(WrongOption, match="more than 1000000"):
        list(expanded("{1..2000}-{1..2000}"))


def test_shards_of_webdataset() -> None:
    for number in range(3):
        with tarfile.open(f"shard-{number:03}.tar", "w") as shard:
            for name, data in (("a.jpg", b"image"), ("a.cls", b"7"), ("a.json", b"{}")):
                member = tarfile.TarInfo(f"{number}/{name}")
                member.size = len(data)
                shard.addfile(member, io.BytesIO(data))
    found = listed("shard-{000..002}.tar")
    assert [item.path for item in found] == [
        f"tar://{number}/a.jpg::shard-{number:03}.tar" for number in range(3)
    ]
    assert {item.read(100) for item in found} == {b"image"}
    with pytest.raises(WrongOption, match=r"shard-003\.tar does not exist"):
        listed("shard-{000..003}.tar")


def test_a_zip_archive_gives_its_images() -> None:
    with zipfile.ZipFile("photos.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("b/2.jpg", "a/1.png", "notes.txt", "__MACOSX/._1.jpg"):
            archive.writestr(name, name)
    found = listed("photos.zip")
    assert [item.path for item in found] == [
        "zip://a/1.png::photos.zip",
        "zip://b/2.jpg::photos.zip",
    ]
    assert [item.read(100) for item in found] == [b"a/1.png", b"b/2.jpg"]


def test_a_damaged_zip_archive_is_told_or_a_row() -> None:
    Path("bad.zip").write_bytes(b"PK nonsense" * 20)
    with zipfile.ZipFile("good.zip", "w") as archive:
        archive.writestr("1.jpg", "1")
    with pytest.raises(WrongOption, match=r"bad\.zip cannot be listed"):
        listed("bad.zip")
    bad, good = listed("*.zip")
    with pytest.raises(errors.UnreadableImage, match="not a readable zip archive"):
        bad.read(100)
    assert good.read(100) == b"1"


def table(path: str, values: list[Any], kind: Any, **more: list[Any]) -> None:
    columns = {"image": pa.array(values, kind), **more}
    parquet.write_table(pa.table(columns), path, row_group_size=3)


STRUCT = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


@pytest.mark.parametrize(
    ("kind", "make"),
    [
        (pa.binary(), lambda data: data),
        (pa.large_binary(), lambda data: data),
        (STRUCT, lambda data: {"bytes": data, "path": "x.jpg"}),
    ],
)
def test_images_in_a_column_of_parquet(kind: Any, make: Any, tmp_path: Path) -> None:
    data = [f"image {number}".encode() for number in range(8)]
    table("images.parquet", [make(one) for one in data], kind, label=list(range(8)))
    found = listed("images.parquet", column="image", keep=["label"])
    assert [item.read(100) for item in found] == data
    assert [item.read(100) for item in reversed(found)] == data[::-1]
    assert found[3].path == "parquet://image/3::images.parquet"
    assert [item.kept for item in found] == [(str(number),) for number in range(8)]
    with pytest.raises(errors.ImageTooLarge):
        found[0].read(3)
    # What the output names can be fed back, alone and in a manifest.
    (again,) = listed(found[3].path)
    assert again.read(100) == data[3]
    Path("list.csv").write_text(f"path\n{found[7].path}\n")
    assert listed("list.csv")[0].read(100) == data[7]
    with pytest.raises(errors.UnreadableImage, match="no row 9"):
        listed("parquet://image/9::images.parquet")[0].read(100)


def test_a_row_of_parquet_without_an_image_is_that_rows_error() -> None:
    table("images.parquet", [b"a", None, b""], pa.binary())
    good, missing, empty = listed("images.parquet", column="image")
    assert good.read(100) == b"a"
    for item in (missing, empty):
        with pytest.raises(errors.UnreadableImage, match="holds no image"):
            item.read(100)


@pytest.mark.parametrize("text", [b"b.jpg\na.jpg\n\n", b"b.jpg\r\na.jpg", b"b.jpg\0a.jpg\0"])
def test_a_list_on_standard_input(
    folder: Path, monkeypatch: pytest.MonkeyPatch, text: bytes
) -> None:
    for name in ("a.jpg", "b.jpg"):
        (folder / name).write_bytes(name.encode())
    stdin(monkeypatch, text)
    found = listed("-")
    assert [item.path for item in found] == ["b.jpg", "a.jpg"]
    assert [item.read(100) for item in found] == [b"b.jpg", b"a.jpg"]


def test_an_empty_list_on_standard_input_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    stdin(monkeypatch, b"\n")
    with pytest.raises(WrongOption, match="holds no image"):
        listed("-")


def manifest(name: str, photos: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"path": str(photos / "000.jpg"), "id": 7, "split": "val", "tags": ["a", "b"]},
        {"path": str(photos / "gone.jpg"), "id": None, "split": "train, all", "tags": []},
    ]
    if name.endswith(".jsonl"):
        Path(name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    elif name.endswith(".parquet"):
        parquet.write_table(pa.Table.from_pylist(rows), name)
    else:
        lines = [f'{row["path"]},{row["id"] or ""},"{row["split"]}",x' for row in rows]
        Path(name).write_text("\n".join(["path,id,split,tags", *lines]))


@pytest.mark.parametrize("name", ["list.csv", "list.jsonl", "list.parquet"])
@pytest.mark.parametrize("output", ["out.csv", "out.jsonl", "out.parquet"])
def test_columns_of_a_manifest_are_kept(
    score: Score, folder: Path, photos: Path, name: str, output: str
) -> None:
    manifest(name, photos)

    assert score(inputs=(name,), output=output, keep=("split", "id")) is Exit.PARTIAL

    good, bad = read_rows(folder / output)
    assert list(good)[-2:] == ["split", "id"]
    assert (good["split"], good["id"]) == ("val", "7")
    assert bad["split"] == "train, all"
    assert not bad["id"]
    assert int(good["class_index_1"]) == best_class((photos / "000.jpg").read_bytes())


def test_a_column_that_a_manifest_lacks_is_told(photos: Path) -> None:
    manifest("list.csv", photos)
    with pytest.raises(WrongOption, match=r"--keep: list\.csv has no column 'colour'"):
        listed("list.csv", keep=["colour"])


@pytest.mark.parametrize("output", ["out.csv", "out.jsonl", "out.parquet"])
def test_margin(score: Score, folder: Path, output: str) -> None:
    assert score(output=output, margin=True, top_k=1) is Exit.COMPLETE
    wide = score(output="wide.jsonl", top_k=2)
    assert wide is Exit.COMPLETE
    for row, two in zip(read_rows(folder / output), read_rows(folder / "wide.jsonl"), strict=True):
        assert "score_2" not in row
        assert float(row["margin"]) == pytest.approx(two["score_1"] - two["score_2"])


@pytest.mark.parametrize("output", ["out.jsonl", "out.parquet"])
def test_embeddings(score: Score, folder: Path, photos: Path, output: str) -> None:
    (photos / "003.jpg").write_bytes(b"corrupt")
    assert score(output=output, embeddings=True) is Exit.PARTIAL
    (photos / "003.jpg").write_bytes(b"well again")
    assert score(output=output, embeddings=True, retry_errors=True) is Exit.COMPLETE
    rows = read_rows(folder / output)
    assert len(rows) == 50
    for row in rows:
        assert max(row["embedding"]) == pytest.approx(row["score_1"])  # as the fake has it
        assert len(row["embedding"]) == 10


@pytest.mark.parametrize("output", ["out.csv", "out.jsonl", "out.parquet"])
def test_only_what_is_unsure_may_be_kept(
    score: Score, folder: Path, photos: Path, output: str
) -> None:
    (photos / "003.jpg").write_bytes(b"corrupt")
    score(output="all.jsonl")
    unsure = [
        row["path"] for row in read_rows(folder / "all.jsonl")
        if row["error_code"] or row["score_1"] < 0.17
    ]  # fmt: skip
    assert 0 < len(unsure) < 50

    assert score(output=output, keep_below=0.17, top_k=1) is Exit.PARTIAL

    assert [row["path"] for row in read_rows(folder / output)] == unsure


@pytest.mark.parametrize("output", ["none.csv", "none.jsonl", "none.parquet"])
def test_a_filter_may_leave_nothing(score: Score, folder: Path, output: str) -> None:
    assert score(output=output, keep_below=0.0) is Exit.COMPLETE
    assert read_rows(folder / output) == []


def test_other_columns_may_not_go_on(score: Score, capsys: pytest.CaptureFixture[str]) -> None:
    assert score(output="folder") is Exit.COMPLETE
    assert score(output="folder", resume=True, margin=True) is Exit.WRONG_OPTION
    assert "margin: then None, now True" in capsys.readouterr().err
