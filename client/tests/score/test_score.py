"""The job in this process, before a service that fails on demand."""

import ssl
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import trustme

from senet_client.score.ending import Exit
from senet_client.score.job import JobOptions, run_job
from tests.fake_service import FakeService, Reply, listening, problem, url_of
from tests.score.conftest import Score, check, read_rows, stop_after


@pytest.mark.parametrize("name", ["out.csv", "out.jsonl", "out.parquet", "folder"])
def test_each_input_gets_its_row(score: Score, photos: Path, tmp_path: Path, name: str) -> None:
    output = tmp_path / name

    assert score(output=str(output), top_k=2) is Exit.COMPLETE

    rows = read_rows(output)
    check(rows, photos)
    first = rows[0]
    assert set(first) == {
        *("index", "path", "error_code", "error", "attempts", "duration_ms"),
        *("model", "model_version", "model_digest"),
        *("class_index_1", "class_id_1", "label_1", "score_1"),
        *("class_index_2", "class_id_2", "label_2", "score_2"),
    }
    assert (first["model"], first["model_version"]) == ("fake", "1")
    assert int(first["attempts"]) == 1
    assert float(first["duration_ms"]) > 0
    if output.is_file():
        assert sorted(path.name for path in tmp_path.iterdir()) == [name, "photos"]


def test_images_travel_together_and_as_bulk(score: Score, service: FakeService) -> None:
    sizes: list[int] = []
    service.on_classify = lambda images: sizes.append(len(images))

    score()

    assert sorted(sizes) == [2, *[4] * 12]
    queries = [query for path, query, _ in service.requests if path == "/classify"]
    assert {query["priority"] for query in queries} == {"bulk"}


def test_an_image_that_fails_is_a_row_with_its_error(
    score: Score, service: FakeService, photos: Path, tmp_path: Path
) -> None:
    (photos / "005.jpg").write_bytes(b"corrupt")
    with (photos / "006.jpg").open("wb") as huge:
        huge.truncate(2 * 1024**3)
    (photos / "007.jpg").write_bytes(b"")
    listed = sorted(photos.iterdir())
    stop_after(service, 1)
    score(rows_per_part=50)
    service.api_key, service.on_classify = None, lambda _: None
    # Goes after it was listed and before it is read.
    (photos / "040.jpg").unlink()

    assert score(rows_per_part=50, resume=True) is Exit.PARTIAL

    rows = read_rows(tmp_path / "out.jsonl")
    assert [row["path"] for row in rows] == [str(path) for path in listed]
    assert {row["index"]: row["error_code"] for row in rows if row["error_code"]} == {
        5: "invalid_image",
        6: "image_too_large",
        7: "unreadable_image",
        40: "unreadable_image",
    }
    assert rows[40]["attempts"] == 0
    assert "No such file" in rows[40]["error"]
    assert rows[5]["class_index_1"] is None


def test_rows_with_errors_are_tried_again(
    score: Score,
    service: FakeService,
    photos: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in ("005.jpg", "006.jpg", "030.jpg"):
        (photos / name).write_bytes(b"slow " + name.encode())
    assert score() is Exit.PARTIAL
    assert "50 rows in" in capsys.readouterr().err
    rows = read_rows(tmp_path / "out.jsonl")
    assert [row["index"] for row in rows if row["error_code"]] == [5, 6, 30]
    for name in ("005.jpg", "006.jpg", "030.jpg"):
        (photos / name).write_bytes(b"well again " + name.encode())
    sent: list[bytes] = []
    service.on_classify = sent.extend

    assert score(retry_errors=True) is Exit.COMPLETE

    check(read_rows(tmp_path / "out.jsonl"), photos)
    assert len(sent) == 3
    assert not (tmp_path / "out.jsonl.parts").exists()


def test_what_was_stopped_is_resumed(
    score: Score, service: FakeService, photos: Path, tmp_path: Path
) -> None:
    stop_after(service, 30)
    assert score() is Exit.PARTIAL
    assert not (tmp_path / "out.jsonl").exists()
    committed = sum(len(read_rows(part)) for part in (tmp_path / "out.jsonl.parts").glob("part-*"))
    assert committed
    service.api_key = None
    sent: list[bytes] = []
    service.on_classify = sent.extend

    assert score(resume=True) is Exit.COMPLETE

    check(read_rows(tmp_path / "out.jsonl"), photos)
    assert len(sent) == 50 - committed


def test_a_wrong_key_stops_at_once(
    score: Score, service: FakeService, capsys: pytest.CaptureFixture[str]
) -> None:
    service.api_key = "right"

    assert score(api_key="wrong", concurrency=1) is Exit.FAILED

    assert sum(path == "/classify" for path, _, _ in service.requests) == 1
    assert capsys.readouterr().err.startswith("stopped: Unauthenticated: ")


def test_overload_is_waited_out(
    score: Score, service: FakeService, photos: Path, tmp_path: Path
) -> None:
    service.script.extend([problem(429, "overloaded"), problem(503, "draining"), Reply(0)])

    assert score(concurrency=None) is Exit.COMPLETE

    rows = read_rows(tmp_path / "out.jsonl")
    check(rows, photos)
    assert max(row["attempts"] for row in rows) == 4


@pytest.mark.parametrize("words", [["--api-key", "s3cret"], ["--api-key=s3cret"]])
def test_the_way_to_go_on_does_not_tell_the_key(
    options: JobOptions,
    service: FakeService,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
) -> None:
    service.api_key = "another"

    run_job(replace(options, api_key="s3cret"), ["senet-client", "score", *words, "photos"])

    said = capsys.readouterr().err
    assert "s3cret" not in said
    *_, hint, last = said.splitlines()
    assert "set SENET_API_KEY" in hint
    assert last == "go on with: senet-client score photos --resume"


def test_a_service_without_a_model_is_told(
    score: Score, service: FakeService, capsys: pytest.CaptureFixture[str]
) -> None:
    service.answer = lambda *_: Reply(200, {"models": []})  # type: ignore[method-assign]  # none

    assert score() is Exit.FAILED

    assert capsys.readouterr().err.endswith("serves no model\n")


def test_a_service_that_stays_away_stops_the_run(
    score: Score, service: FakeService, capsys: pytest.CaptureFixture[str]
) -> None:
    service.script.extend([problem(503, "not_ready", retry_after="60")] * 9)

    assert score(give_up_after=5) is Exit.FAILED

    said = capsys.readouterr().err
    assert "stopped: Not_Ready" in said
    assert "go on with: senet-client score --resume" in said


def test_limits_of_the_service_below_ours_are_found(
    score: Score, service: FakeService, photos: Path, tmp_path: Path
) -> None:
    service.max_images = 3

    assert score(images_per_request=16) is Exit.COMPLETE

    check(read_rows(tmp_path / "out.jsonl"), photos)


def test_an_image_that_fails_its_request_fails_alone(
    score: Score, service: FakeService, photos: Path, tmp_path: Path
) -> None:
    service.script.append(problem(500, "inference_failed"))

    assert score() is Exit.COMPLETE

    check(read_rows(tmp_path / "out.jsonl"), photos)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"inputs": ("/nowhere",)}, "INPUT: /nowhere does not exist"),
        (
            {"output": "nosuch://bucket/out.csv"},
            "--output: nosuch://bucket/out.csv: Protocol not known",
        ),
        ({"output": "out.csv", "embeddings": True}, "--embeddings: CSV holds no lists"),
        ({"keep": ("path",)}, "--keep: there is a column 'path' already"),
        ({"format": "csv"}, "--format: csv and"),
        ({"output": "out.json"}, "--output: out.json ends in none of .csv, .jsonl"),
    ],
)
def test_options_that_cannot_work_leave_nothing_behind(
    score: Score,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    changes: dict[str, Any],
    message: str,
) -> None:
    assert score(**changes) is Exit.WRONG_OPTION

    assert capsys.readouterr().err.startswith(f"error: {message}")
    assert [path.name for path in tmp_path.iterdir()] == ["photos"]


def test_a_service_of_another_api_is_told(
    score: Score, service: FakeService, capsys: pytest.CaptureFixture[str]
) -> None:
    service.answer = lambda *_: Reply(200, {"models": [{"id": 5}]})  # type: ignore[method-assign]  # another program

    assert score() is Exit.FAILED

    assert "does the service speak this client's API?" in capsys.readouterr().err


def test_an_expired_certificate_is_told(
    options: JobOptions,
    score: Score,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", not_after=datetime(2020, 1, 1, tzinfo=UTC)).configure_cert(
        context
    )
    with listening(FakeService()) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        assert score(url=url_of(server).replace("http:", "https:")) is Exit.FAILED

    said = capsys.readouterr().err
    assert said.startswith("stopped: the service's certificate: certificate has expired [https://")
    assert said.count("\n") == 1
