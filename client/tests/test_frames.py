"""Columns of classes in data frames, through the fake that users have for their tests."""

from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pytest

from senet_client import errors
from senet_client.frames import classify_frame
from senet_client.testing import FakeService

KINDS: list[Any] = [pd.DataFrame, pl.DataFrame]


@pytest.fixture
def fake() -> FakeService:
    fake = FakeService(["cat", "dog", "bird"])
    fake.answers = {b"1": "dog", b"2": "invalid_image", b"3": "bird"}
    return fake


@pytest.mark.parametrize("kind", KINDS)
def test_every_row_stays_with_its_class_or_error(
    kind: Any, fake: FakeService, tmp_path: Path
) -> None:
    for number in (1, 2, 3):
        (tmp_path / f"{number}.jpg").write_bytes(str(number).encode())
    paths = [str(tmp_path / f"{number}.jpg") for number in (1, 2, 3, 4)]
    frame = kind({"id": [7, 8, 9, 10], "path": paths})
    with fake.client() as client:
        found = classify_frame(client, frame, top_k=2)

    assert list(frame.columns) == ["id", "path"]
    assert isinstance(found, kind)
    assert list(found["id"]) == [7, 8, 9, 10]
    missing = [pd.isna(value) for value in found["label_1"]]
    assert missing == [False, True, False, True]
    assert [found["label_1"][row] for row in (0, 2)] == ["dog", "bird"]
    assert [found["class_index_1"][row] for row in (0, 2)] == [1, 2]
    assert found["score_1"][0] == 0.9
    assert found["label_2"][0] == "cat"
    codes = [found["error_code"][row] for row in (1, 3)]
    assert codes == ["invalid_image", "unreadable_image"]


@pytest.mark.parametrize("kind", KINDS)
def test_bytes_embeddings_and_a_prefix(kind: Any, fake: FakeService) -> None:
    frame = kind({"photo": [b"1", b"3"], "error": ["a", "b"]})
    with fake.client() as client:
        with pytest.raises(errors.InvalidArgument, match="'error' already; give a prefix"):
            classify_frame(client, frame, column="photo")
        found = classify_frame(client, frame, column="photo", prefix="net_", include=["embedding"])
    assert list(found["net_label_1"]) == ["dog", "bird"]
    assert len(found["net_embedding"][0]) == 8
    assert fake.seen == [[b"1", b"3"]]


def test_a_frame_without_rows(fake: FakeService) -> None:
    with fake.client() as client:
        found = classify_frame(client, pd.DataFrame({"path": []}))
    assert list(found.columns)[:3] == ["path", "error_code", "error"]
    assert len(found) == 0


@pytest.mark.parametrize("frame", [{"path": []}, [1], pd.DataFrame({"file": []})])
def test_what_is_no_such_frame_is_refused(frame: Any, fake: FakeService) -> None:
    with fake.client() as client, pytest.raises(errors.InvalidArgument, match="frame"):
        classify_frame(client, frame)
