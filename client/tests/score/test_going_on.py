"""Nothing is lost or mixed: which outputs a run may overwrite, and which it may go on with."""

import re
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from senet_client.score.ending import Exit
from tests.fake_service import FakeService
from tests.score.conftest import Score, check, read_rows, stop_after


def test_an_output_that_exists_is_left_alone(
    score: Score, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "out.jsonl").write_text("mine")

    assert score() is Exit.WRONG_OPTION

    assert "add --resume to go on with it, or --overwrite" in capsys.readouterr().err
    assert (tmp_path / "out.jsonl").read_text() == "mine"
    assert score(overwrite=True) is Exit.COMPLETE
    assert len(read_rows(tmp_path / "out.jsonl")) == 50


@pytest.mark.parametrize("output", ["out.csv", "folder"])
def test_an_output_begun_is_left_alone_too(
    score: Score, service: FakeService, photos: Path, tmp_path: Path, output: str
) -> None:
    stop_after(service, 30)
    assert score(output=str(tmp_path / output)) is Exit.PARTIAL
    service.api_key = None
    service.on_classify = lambda _: None

    assert score(output=str(tmp_path / output)) is Exit.WRONG_OPTION
    assert score(output=str(tmp_path / output), overwrite=True) is Exit.COMPLETE

    check(read_rows(tmp_path / output), photos)


def test_a_folder_with_other_things_is_never_overwritten(
    score: Score, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "thesis.tex").write_text("years of work")

    for options in ({}, {"resume": True}, {"overwrite": True}):
        assert score(output=str(tmp_path / "folder"), **options) is Exit.WRONG_OPTION

    assert "also holds thesis.tex" in capsys.readouterr().err
    assert (tmp_path / "folder" / "thesis.tex").exists()


def test_resuming_nothing_begins(score: Score, photos: Path, tmp_path: Path) -> None:
    assert score(resume=True) is Exit.COMPLETE
    check(read_rows(tmp_path / "out.jsonl"), photos)
    assert score(resume=True) is Exit.COMPLETE


def test_another_model_may_not_go_on(
    score: Score, service: FakeService, capsys: pytest.CaptureFixture[str]
) -> None:
    stop_after(service, 30)
    score()
    service.api_key, service.digest = None, "sha256:" + "f" * 64
    capsys.readouterr()

    assert score(resume=True) is Exit.WRONG_OPTION

    assert re.search(r"digest: then 'sha256:0+', now 'sha256:f+'", capsys.readouterr().err)


def test_another_model_in_the_middle_stops(
    score: Score, service: FakeService, capsys: pytest.CaptureFixture[str]
) -> None:
    seen: list[bytes] = []

    def replace_model(images: list[bytes]) -> None:
        seen.extend(images)
        if len(seen) > 25:
            service.digest = "sha256:" + "f" * 64

    service.on_classify = replace_model

    assert score() is Exit.PARTIAL

    assert "now serves fake:1 (fp32, sha256:ffffffff)" in capsys.readouterr().err


def test_other_options_may_not_go_on(
    score: Score, service: FakeService, capsys: pytest.CaptureFixture[str]
) -> None:
    stop_after(service, 30)
    score()
    service.api_key = None
    capsys.readouterr()

    assert score(resume=True, top_k=3, rows_per_part=16) is Exit.WRONG_OPTION

    assert "top_k: then 5, now 3; rows_per_part: then 8, now 16" in capsys.readouterr().err


@pytest.mark.parametrize(
    "flags", [{}, {"resume": True}, {"overwrite": True}, {"retry_errors": True}]
)
@pytest.mark.parametrize("output", ["out.csv", "folder"])
def test_a_run_under_way_is_left_alone(
    score: Score,
    service: FakeService,
    photos: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    output: str,
    flags: dict[str, bool],
) -> None:
    other = tmp_path / "others"
    other.mkdir()
    (other / "1.jpg").write_bytes(b"other")
    under_way, go_on = threading.Event(), threading.Event()

    def hold(_: list[bytes]) -> None:
        under_way.set()
        go_on.wait(60)

    service.on_classify = hold
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(score, output=str(tmp_path / output))
        assert under_way.wait(60)
        try:
            second = score(output=str(tmp_path / output), inputs=(str(other),), **flags)
        finally:
            go_on.set()

        assert second is Exit.WRONG_OPTION
        assert "another run is writing it" in capsys.readouterr().err
        assert first.result() is Exit.COMPLETE
    check(read_rows(tmp_path / output), photos)
    assert not (tmp_path / output / "_lock").exists()


def test_the_folder_of_an_output_may_go_and_the_run_says_how_to_go_on(
    score: Score, service: FakeService, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    service.on_classify = lambda _: shutil.rmtree(tmp_path / "out.jsonl.parts", ignore_errors=True)

    assert score() in (Exit.FAILED, Exit.PARTIAL)

    assert "stopped: " in capsys.readouterr().err


def test_errors_cannot_be_retried_without_the_parts(
    score: Score, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (photos / "005.jpg").write_bytes(b"corrupt")
    for name in ("out.csv", "out.jsonl", "out.parquet"):
        output = str(tmp_path / name)
        assert score(output=output) is Exit.PARTIAL
        shutil.rmtree(f"{output}.parts")
        capsys.readouterr()

        assert score(output=output, retry_errors=True) is Exit.WRONG_OPTION

        assert f"1 rows of {output} hold an error, and" in capsys.readouterr().err
        assert score(output=output, resume=True) is Exit.PARTIAL
        assert "1 of them hold an error" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["out.csv", "out.jsonl", "out.parquet"])
def test_a_file_of_somebody_else_is_no_complete_output(
    score: Score, tmp_path: Path, name: str
) -> None:
    (tmp_path / name).write_text("mine\n1\n")

    assert score(output=str(tmp_path / name), resume=True) is Exit.WRONG_OPTION

    assert (tmp_path / name).read_text() == "mine\n1\n"


def test_parts_that_are_gone_are_done_again(
    score: Score, service: FakeService, photos: Path, tmp_path: Path
) -> None:
    assert score(output=str(tmp_path / "folder")) is Exit.COMPLETE
    (tmp_path / "folder" / "part-000002.parquet").unlink()
    sent: list[bytes] = []
    service.on_classify = sent.extend

    assert score(output=str(tmp_path / "folder"), resume=True) is Exit.COMPLETE

    check(read_rows(tmp_path / "folder"), photos)
    assert len(sent) == 8


def test_a_run_without_its_list_starts_over(
    score: Score, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert score(output=str(tmp_path / "folder")) is Exit.COMPLETE
    (tmp_path / "folder" / "_inputs.jsonl").unlink()

    assert score(output=str(tmp_path / "folder"), resume=True) is Exit.WRONG_OPTION

    assert "the list of inputs, is gone; start over" in capsys.readouterr().err


def test_a_damaged_part_is_told(
    score: Score, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (photos / "005.jpg").write_bytes(b"corrupt")
    output = str(tmp_path / "folder")
    assert score(output=output) is Exit.PARTIAL
    (tmp_path / "folder" / "part-000000.parquet").write_bytes(b"damaged")

    assert score(output=output, retry_errors=True) is Exit.PARTIAL

    said = capsys.readouterr().err
    assert "part-000000.parquet is damaged" in said
    assert "go on with: " in said


def test_inputs_may_be_written_otherwise(
    score: Score, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert score(output="out", inputs=("photos",)) is Exit.COMPLETE
    for same in ("photos/", "./photos", str(photos)):
        assert score(output="out", inputs=(same,), resume=True) is Exit.COMPLETE
    assert score(output="out", inputs=("photos/000.jpg",), resume=True) is Exit.WRONG_OPTION
