"""Reading: outages are waited out and never become rows, and storages are asked once."""

import errno
import os
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from senet_client.errors import ImageError
from senet_client.images import EncodedImage
from senet_client.score.ending import Exit
from senet_client.score.failures import OutOfReach, Stopped
from senet_client.score.inputs import Input
from senet_client.score.listing import list_inputs
from senet_client.score.outages import is_outage
from senet_client.score.reading import Reading, Task, read_patiently
from tests.conftest import Clock
from tests.score.conftest import Score, read_rows


class Bucket(MemoryFileSystem):  # type: ignore[misc]  # fsspec has no types
    """A remote storage that counts what it is asked, and fails as it is told."""

    protocol = "bucket"
    store: ClassVar[dict[str, Any]] = {}
    pseudo_dirs: ClassVar[list[str]] = [""]
    asked: ClassVar[Counter[str]] = Counter()
    failure: ClassVar[Callable[[str], Exception | None]] = lambda _: None

    @classmethod
    def _strip_protocol(cls, path: str) -> Any:
        return super()._strip_protocol(path.removeprefix("bucket://"))

    def cat_file(self, path: str, start: Any = None, end: Any = None, **_: Any) -> Any:
        Bucket.asked[f"read {path}"] += 1
        error = Bucket.failure(path)
        if error is not None:
            raise error
        return super().cat_file(path, start=start, end=end)

    def open(self, path: str, *args: Any, **options: Any) -> Any:
        Bucket.asked[f"open {path}"] += 1
        return super().open(path, *args, **options)


@pytest.fixture
def bucket() -> Iterator[type[Bucket]]:
    fsspec.register_implementation("bucket", Bucket, clobber=True)
    Bucket.store.clear()
    system = fsspec.filesystem("bucket")
    for number in range(20):
        system.pipe_file(f"/photos/{number:02}.jpg", f"photo {number}".encode())
    Bucket.asked.clear()
    Bucket.failure = lambda _: None
    yield Bucket
    Bucket.failure = lambda _: None


def tasks() -> list[Task]:
    return list(enumerate(list_inputs(["bucket://photos"], "path")))


class WithStatus(Exception):
    """How libraries tell of an HTTP status."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__("refused")
        vars(self).update(attributes)


def _caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    "error",
    [
        ConnectionResetError(),
        TimeoutError(),
        OSError(errno.EIO, "Input/output error"),
        OSError(errno.ENOTCONN, "Transport endpoint is not connected"),
        OSError(errno.ESTALE, "Stale file handle"),
        OSError(errno.EMFILE, "Too many open files"),
        WithStatus(status=503),
        WithStatus(status_code=500),
        WithStatus(code=429),
        WithStatus(status=408),
        WithStatus(response={"ResponseMetadata": {"HTTPStatusCode": 503}}),
        _caused(FileNotFoundError("url"), ConnectionRefusedError()),
        WithStatus(),  # a library's own, of which nothing is known
    ],
)
def test_what_may_pass_is_an_outage(error: Exception) -> None:
    assert is_outage(error)


@pytest.mark.parametrize(
    "error",
    [
        FileNotFoundError(errno.ENOENT, "No such file"),
        FileNotFoundError("url"),
        PermissionError("forbidden"),
        IsADirectoryError(errno.EISDIR, "Is a directory"),
        OSError(errno.ELOOP, "Too many levels of symbolic links"),
        OSError(errno.ENAMETOOLONG, "File name too long"),
        ValueError("embedded null byte"),
        WithStatus(status=404),
        WithStatus(status=403),
        WithStatus(code=410),
        _caused(PermissionError("url"), WithStatus(status=403)),
        KeyError("member"),
    ],
)
def test_what_is_the_files_own_is_none(error: Exception) -> None:
    assert not is_outage(error)


async def test_an_image_is_asked_for_once_and_not_for_its_size(bucket: type[Bucket]) -> None:
    reading = Reading(1000, 20, 30)

    done, left = await reading.read(tasks())

    assert not left
    assert {image.data for _, image in done if isinstance(image, EncodedImage)} == {
        f"photo {number}".encode() for number in range(20)
    }
    assert bucket.asked == {f"read /photos/{number:02}.jpg": 1 for number in range(20)}
    reading.close()


async def test_what_the_listing_says_is_too_large_is_not_asked_for(bucket: type[Bucket]) -> None:
    reading = Reading(3, 20, 30)

    done, _ = await reading.read(tasks())

    assert all(isinstance(image, ImageError) for _, image in done)
    assert not bucket.asked
    reading.close()


async def test_reads_are_as_parallel_as_sending_needs(bucket: type[Bucket]) -> None:
    together = threading.Barrier(16, timeout=30)
    reading = Reading(1000, 20, 30)
    reading.starved()  # 8 at once, which is not enough

    def meet(_: str) -> None:
        together.wait()

    bucket.failure = meet

    done, _ = await reading.read(tasks()[:16])

    assert len(done) == 16
    reading.close()


async def test_an_outage_is_waited_out(bucket: type[Bucket], clock: Clock) -> None:
    reading = Reading(1000, 20, 30, clock.sleep_async, clock)
    bucket.failure = lambda _: ConnectionResetError("reset") if len(clock.pauses) < 3 else None

    done, _ = await reading.read(tasks())

    assert all(isinstance(image, EncodedImage) for _, image in done)
    assert len(clock.pauses) == 3
    reading.close()


async def test_an_outage_that_lasts_stops_the_run(bucket: type[Bucket], clock: Clock) -> None:
    reading = Reading(1000, 20, 30, clock.sleep_async, clock)
    bucket.failure = lambda _: WithStatus(status=503)

    with pytest.raises(Stopped, match=r"out of reach: bucket://.*/photos/\d\d.jpg cannot be read"):
        await reading.read(tasks())

    assert 30 <= sum(clock.pauses) < 60
    reading.close()


def test_an_outage_is_no_row(
    score: Score, bucket: type[Bucket], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(path: str) -> Exception | None:
        if path.endswith("03.jpg"):
            return PermissionError("forbidden")
        return OSError(errno.EIO, "no answer") if path > "/photos/12.jpg" else None

    bucket.failure = fail
    changes: dict[str, Any] = {
        "inputs": ("bucket://photos",),
        "rows_per_part": 4,
        "give_up_after": 1,
    }

    assert score(**changes) is Exit.PARTIAL

    said = capsys.readouterr().err
    assert "stopped: the inputs' storage is out of reach" in said
    assert "go on with: " in said
    bucket.failure = lambda path: None if path > "/photos/12.jpg" else fail(path)
    assert score(**changes, resume=True) is Exit.PARTIAL
    rows = read_rows(tmp_path / "out.jsonl")
    assert {row["index"]: row["error_code"] for row in rows if row["error_code"]} == {
        3: "unreadable_image"
    }
    assert len(rows) == 20


def test_a_pipe_in_a_manifest_is_a_row(score: Score, tmp_path: Path) -> None:

    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "list.csv").write_text("path\npipe.jpg\n/dev/zero\n")

    assert score(inputs=(str(tmp_path / "list.csv"),)) is Exit.PARTIAL

    rows = read_rows(tmp_path / "out.jsonl")
    assert [row["error_code"] for row in rows] == ["unreadable_image"] * 2


def test_a_storage_out_of_reach_is_no_error_of_the_image(bucket: type[Bucket]) -> None:
    bucket.failure = lambda _: ConnectionResetError("reset by peer")

    with pytest.raises(OutOfReach, match="reset by peer"):
        Input("", "bucket://photos/01.jpg").read(1000)


def test_one_thread_may_wait_an_outage_out_too(bucket: type[Bucket], clock: Clock) -> None:
    found = Input("", "bucket://photos/01.jpg")
    bucket.failure = lambda _: ConnectionResetError("reset") if len(clock.pauses) < 3 else None

    assert read_patiently(found, 1000, 30, clock.sleep) == b"photo 1"

    bucket.failure = lambda _: ConnectionResetError("reset")
    clock.pauses.clear()
    with pytest.raises(OutOfReach):
        read_patiently(found, 1000, 30, clock.sleep)
    assert 20 < sum(clock.pauses) <= 30
