"""An output that is a URL: in fsspec's memory, which stands for a bucket."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from senet_client.score.ending import Exit
from tests.fake_service import FakeService
from tests.score.conftest import Score, check, read_rows, stop_after

Bucket = Any


@pytest.fixture
def bucket() -> Iterator[Bucket]:
    yield fsspec.filesystem("memory")
    MemoryFileSystem.store.clear()
    MemoryFileSystem.pseudo_dirs[:] = [""]


@pytest.fixture(autouse=True)
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def fetched(bucket: Bucket, path: str, to: Path) -> list[dict[str, Any]]:
    bucket.get_file(path, str(to))
    return read_rows(to)


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_a_file(
    score: Score, bucket: Bucket, photos: Path, tmp_path: Path, work: Path, suffix: str
) -> None:
    name = f"scores.{suffix}"
    assert score(output=f"memory://results/{name}") is Exit.COMPLETE
    check(fetched(bucket, f"/results/{name}", tmp_path / name), photos)
    assert list(work.iterdir()) == []


def test_a_folder(score: Score, bucket: Bucket, photos: Path, tmp_path: Path, work: Path) -> None:
    assert score(output="memory://results/scores", format="jsonl") is Exit.COMPLETE
    names = sorted(name.rpartition("/")[2] for name in bucket.ls("/results/scores", detail=False))
    assert names == [f"part-{number:06}.jsonl" for number in range(7)]
    rows = [
        row for name in names for row in fetched(bucket, f"/results/scores/{name}", tmp_path / name)
    ]
    check(rows, photos)
    assert list(work.iterdir()) == []


def test_what_is_there_is_not_overwritten_by_itself(
    score: Score, bucket: Bucket, capsys: pytest.CaptureFixture[str], work: Path
) -> None:
    bucket.pipe_file("/results/scores.jsonl", b"mine")
    url = "memory://results/scores.jsonl"
    assert score(output=url) is Exit.WRONG_OPTION
    assert f"{url} exists" in capsys.readouterr().err
    assert bucket.cat_file("/results/scores.jsonl") == b"mine"
    assert list(work.iterdir()) == []
    assert score(output=url, overwrite=True) is Exit.COMPLETE
    assert len(bucket.cat_file("/results/scores.jsonl").splitlines()) == 50


def test_a_folder_that_holds_something_else_is_not_emptied(
    score: Score, bucket: Bucket, capsys: pytest.CaptureFixture[str]
) -> None:
    bucket.pipe_file("/results/scores/notes.txt", b"mine")
    assert score(output="memory://results/scores", overwrite=True) is Exit.WRONG_OPTION
    assert "notes.txt, which is not of a scoring run" in capsys.readouterr().err
    bucket.rm_file("/results/scores/notes.txt")
    bucket.pipe_file("/results/scores/part-000099.parquet", b"of an earlier run")
    assert score(output="memory://results/scores", overwrite=True) is Exit.COMPLETE
    assert len(bucket.ls("/results/scores", detail=False)) == 7


def test_what_was_stopped_is_resumed_and_errors_are_tried_again(
    score: Score, service: FakeService, bucket: Bucket, photos: Path, tmp_path: Path, work: Path
) -> None:
    url = "memory://results/scores.jsonl"
    (photos / "003.jpg").write_bytes(b"corrupt")
    stop_after(service, 30)
    assert score(output=url) is Exit.PARTIAL
    assert not bucket.exists("/results/scores.jsonl")
    service.api_key, service.on_classify = None, lambda _: None
    assert score(output=url, resume=True) is Exit.PARTIAL
    check(fetched(bucket, "/results/scores.jsonl", tmp_path / "out.jsonl"), photos, errors=1)
    (photos / "003.jpg").write_bytes(b"well again")
    assert score(output=url, retry_errors=True) is Exit.COMPLETE
    check(fetched(bucket, "/results/scores.jsonl", tmp_path / "out.jsonl"), photos)
    assert list(work.iterdir()) == []
    assert score(output=url, resume=True) is Exit.COMPLETE


def test_an_output_with_errors_whose_parts_are_gone_says_so(
    score: Score, bucket: Bucket, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{"error_code": None}, {"error_code": "invalid_image"}]
    bucket.pipe_file("/results/s.jsonl", "".join(json.dumps(row) + "\n" for row in rows).encode())
    assert score(output="memory://results/s.jsonl", retry_errors=True) is Exit.WRONG_OPTION
    assert "1 rows of memory://results/s.jsonl hold an error" in capsys.readouterr().err


def test_a_storage_that_takes_nothing_keeps_the_parts(
    score: Score,
    bucket: Bucket,
    work: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise ConnectionError("no route to the bucket")

    with monkeypatch.context() as patched:
        patched.setattr(MemoryFileSystem, "put_file", refuse)
        assert score(output="memory://results/s.jsonl") is Exit.PARTIAL
    said = capsys.readouterr().err
    assert "memory://results/s.jsonl cannot be written (no route to the bucket)" in said
    assert "go on with: " in said
    assert list(work.iterdir()) != []
    assert score(output="memory://results/s.jsonl", resume=True) is Exit.COMPLETE
    assert len(bucket.cat_file("/results/s.jsonl").splitlines()) == 50


def test_parts_wait_where_they_are_told_to(
    score: Score, service: FakeService, bucket: Bucket, tmp_path: Path, work: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    stop_after(service, 1)
    score(output="memory://results/s.jsonl", work=str(elsewhere), rows_per_part=1)
    assert list(work.iterdir()) == []
    assert [path.name for path in elsewhere.iterdir()] != []
