"""Nothing is lost or mixed: which outputs a run may overwrite, and which it may go on with."""

import re
from pathlib import Path

import pytest

from senet_client.score.job import Exit
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
