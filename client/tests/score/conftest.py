import csv
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet

from senet_client.score.job import Exit, JobOptions, run_job
from tests.fake_service import FakeService, listening, url_of

Rows = list[dict[str, Any]]


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
def score(options: JobOptions) -> Callable[..., Exit]:
    """Runs the job in this process, with some options changed."""

    def run(**changes: Any) -> Exit:
        return run_job(replace(options, **changes), ["senet-client", "score"])

    return run
