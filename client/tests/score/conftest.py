import csv
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet

from senet_client.score.ending import Exit
from senet_client.score.job import JobOptions, run_job
from tests.fake_service import FakeService, best_class, listening, url_of

Rows = list[dict[str, Any]]
Score = Callable[..., Exit]


def read_rows(path: Path) -> Rows:
    """The rows of an output file, or of a folder's parts, as text or values."""
    if path.is_dir():
        return [row for part in sorted(path.glob("part-*")) for row in read_rows(part)]
    if path.suffix == ".parquet":
        rows: Rows = parquet.ParquetFile(path).read().to_pylist()
        return rows
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".csv":
        with path.open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))
    return [json.loads(line) for line in text.splitlines()]


def check(rows: Rows, photos: Path, *, errors: int = 0) -> None:
    """One row for each photo, in order; the good ones with the right class."""
    files = sorted(photos.iterdir())
    assert [row["path"] for row in rows] == [str(file) for file in files]
    assert [int(row["index"]) for row in rows] == list(range(len(files)))
    good = [(row, file) for row, file in zip(rows, files, strict=True) if not row["error_code"]]
    assert len(rows) - len(good) == errors
    for row, file in good:
        assert int(row["class_index_1"]) == best_class(file.read_bytes())


def stop_after(service: FakeService, images: int) -> None:
    """Makes the service refuse the key once it has seen so many images."""
    seen = 0

    def count(batch: list[bytes]) -> None:
        nonlocal seen
        seen += len(batch)
        if seen >= images:
            service.api_key = "another"

    service.on_classify = count


@pytest.fixture
def url(service: FakeService) -> Iterator[str]:
    with listening(service) as server:
        yield url_of(server)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder of 50 images, named so that their order is clear."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(50):
        (folder / f"{number:03}.jpg").write_bytes(f"photo {number}".encode())
    return folder


@pytest.fixture
def options(photos: Path, tmp_path: Path, url: str) -> JobOptions:
    """Scores the photos into small parts."""
    return JobOptions(
        inputs=(str(photos),),
        output=str(tmp_path / "out.jsonl"),
        url=url,
        rows_per_part=8,
        images_per_request=4,
        concurrency=2,
        progress="none",
        give_up_after=30,
    )


@pytest.fixture
def score(options: JobOptions) -> Score:
    """Runs the job in this process, with some options changed."""

    def run(**changes: Any) -> Exit:
        return run_job(replace(options, **changes), ["senet-client", "score"])

    return run
