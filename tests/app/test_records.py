"""A share of the requests, with their answers, as JSON lines."""

import base64
import errno
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from threading import Event

import pytest

from app.contract.errors import ConfigurationError
from app.remote.store import open_store
from app.settings import Settings, load_settings
from app.telemetry.metrics import Metrics
from app.telemetry.record_files import FolderSink
from app.telemetry.records import Record, Recorder
from app.transport.http.recording import StoreSink
from tests.support.colours import COLOURS
from tests.support.engines import FakeEngines
from tests.support.http import post_image, post_multipart
from tests.support.images import encode, photo, truncated_jpeg
from tests.support.metrics import value
from tests.support.server import running
from tests.support.waiting import eventually

PICTURE = encode(photo(COLOURS[9]))


def lines(folder: Path) -> list[dict[str, object]]:
    return [
        json.loads(line)
        for file in sorted(folder.glob("records-*.jsonl"))
        for line in file.read_text().splitlines()
    ]


def recorded(metrics: Metrics, outcome: str) -> float:
    return metrics.registry.get_sample_value("senet_records_total", {"outcome": outcome}) or 0.0


def test_each_image_leaves_a_line_with_answer_and_digest(
    make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    folder = tmp_path / "records"
    settings = make_settings(records_share=1, records_uri=folder)
    with running(settings, FakeEngines()) as live, live.client() as client:
        images = [("a", PICTURE), ("b", truncated_jpeg())]
        request_id = post_multipart(client, images).headers["x-request-id"]
        eventually(lambda: value(client, "senet_records_total", outcome="written") == 2)
    first, second = lines(folder)
    assert first["request_id"] == second["request_id"] == request_id
    assert (first["index"], second["index"]) == (0, 1)
    assert first["model"] == "colours"
    assert first["image_sha256"] == hashlib.sha256(PICTURE).hexdigest()
    assert first["image_bytes"] == len(PICTURE)
    assert first["predictions"][0]["class_index"] == 9  # type: ignore[index]
    assert second["error"] == "invalid_image"
    assert "image" not in first


def test_images_are_recorded_only_if_told_so_and_what_is_left_is_written_at_the_end(
    make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    settings = make_settings(records_share=1, records_uri=tmp_path, records_images=True)
    with running(settings, FakeEngines()) as live, live.client() as client:
        post_image(client, PICTURE)
    [line] = lines(tmp_path)
    assert line["image"] == base64.b64encode(PICTURE).decode()


def test_without_the_option_there_is_nothing(
    make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    with running(make_settings(), FakeEngines()) as live, live.client() as client:
        post_image(client, PICTURE)
        assert value(client, "senet_records_total") == 0
    assert list(tmp_path.glob("**/records-*")) == []


class FullDisk:
    """A sink that fails until there is room."""

    def __init__(self) -> None:
        self.is_full = True
        self.written: list[bytes] = []

    def write(self, pieces: Iterable[bytes]) -> None:
        if self.is_full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.written.append(b"".join(pieces))


def record() -> Record:
    return Record({"index": 0}, b"image")


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


def test_a_full_disk_loses_records_and_nothing_else(metrics: Metrics) -> None:
    sink = FullDisk()
    recorder = Recorder(1, sink, metrics, gather_seconds=0.01)
    recorder.put([record(), record()])
    eventually(lambda: recorded(metrics, "failed") == 2)
    sink.is_full = False
    recorder.put([record()])
    eventually(lambda: recorded(metrics, "written") == 1)
    recorder.close()
    assert [json.loads(line)["image_bytes"] for line in sink.written] == [5]


@pytest.fixture
def stuck() -> Iterator[Event]:
    going_on = Event()
    yield going_on
    going_on.set()


def test_a_sink_that_hangs_holds_nobody_up(metrics: Metrics, stuck: Event) -> None:
    class Hanging:
        def write(self, pieces: Iterable[bytes]) -> None:
            del pieces
            stuck.wait()

    recorder = Recorder(1, Hanging(), metrics, gather_seconds=0.01)
    for _ in range(5000):
        recorder.put([record()])
    assert recorded(metrics, "dropped") >= 3000
    large = Record({}, b"x" * (65 * 2**20))
    before = recorded(metrics, "dropped")
    recorder.put([large])
    assert recorded(metrics, "dropped") == before + 1


def test_what_records_hold_beside_their_images_counts_too(metrics: Metrics, stuck: Event) -> None:
    class Hanging:
        def write(self, pieces: Iterable[bytes]) -> None:
            del pieces
            stuck.wait()

    recorder = Recorder(1, Hanging(), metrics, gather_seconds=0.01)
    thousand_classes = Record({"predictions": [{}] * 1000}, b"image")
    for _ in range(900):
        recorder.put([thousand_classes])
    # Each has 250 kB in its thousand predictions.
    assert 600 <= recorded(metrics, "dropped") <= 700


def test_a_long_image_is_recorded_in_pieces(metrics: Metrics) -> None:
    class Longest:
        def __init__(self) -> None:
            self.line = b""
            self.longest = 0

        def write(self, pieces: Iterable[bytes]) -> None:
            for piece in pieces:
                self.line += piece
                self.longest = max(self.longest, len(piece))

    image = bytes(range(251)) * 20_001
    sink = Longest()
    recorder = Recorder(1, sink, metrics, with_images=True, gather_seconds=0.01)
    recorder.put([Record({"index": 3}, image)])
    recorder.close()
    told = json.loads(sink.line)
    assert (told["index"], base64.b64decode(told["image"])) == (3, image)
    assert sink.longest < 2**20


def test_a_file_of_64_mib_is_followed_by_another(tmp_path: Path) -> None:
    sink = FolderSink(tmp_path)
    sink.write([b"first\n"])
    [first] = tmp_path.iterdir()
    os.truncate(first, 64 * 2**20)
    sink.write([b"second\n"])
    [second] = [file for file in tmp_path.iterdir() if file != first]
    assert second.read_bytes() == b"second\n"


def test_records_go_on_where_their_file_or_folder_is_taken_away(tmp_path: Path) -> None:
    folder = tmp_path / "records"
    sink = FolderSink(folder)
    sink.write([b"first\n"])
    next(folder.iterdir()).unlink()
    sink.write([b"second\n"])
    [file] = folder.iterdir()
    assert file.read_bytes() == b"second\n"
    file.unlink()
    folder.rmdir()
    sink.write([b"third\n"])
    assert [path.read_bytes() for path in folder.iterdir()] == [b"third\n"]


def test_half_a_line_is_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sink = FolderSink(tmp_path)
    sink.write([b"first\n"])
    [file] = tmp_path.iterdir()

    class Filling:
        """A file on a disk that has room for three more bytes."""

        def __init__(self, path: Path) -> None:
            self._file = path.open("ab", buffering=0)

        def __enter__(self) -> "Filling":
            return self

        def __exit__(self, *_: object) -> None:
            self._file.close()

        def tell(self) -> int:
            return self._file.tell()

        def fileno(self) -> int:
            return self._file.fileno()

        def flush(self) -> None:
            """Nothing is buffered."""

        def write(self, data: bytes) -> None:
            self._file.write(data[:3])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    filling = Filling(file)
    monkeypatch.setattr(Path, "open", lambda *_: filling)
    with pytest.raises(OSError, match="No space"):
        sink.write([b"second\n"])
    monkeypatch.undo()
    assert file.read_bytes() == b"first\n"


def test_a_share_is_drawn(metrics: Metrics) -> None:
    draws = iter([0.1, 0.5, 0.9])
    recorder = Recorder(0.5, FullDisk(), metrics, draw=lambda: next(draws))
    assert [recorder.wants() for _ in range(3)] == [True, False, False]
    recorder.close()


def test_a_store_gets_a_file_for_each_write(tmp_path: Path) -> None:
    sink = StoreSink(open_store(f"file://{tmp_path}"))
    sink.write([b'{"index": 0}\n'])
    sink.write([b'{"index":', b" 1}\n"])
    assert [line["index"] for line in lines(tmp_path)] == [0, 1]


@pytest.mark.parametrize(
    ("arguments", "option"),
    [
        (["--records-share", "0.1"], "records_uri"),
        (["--records-uri", "somewhere"], "records_share"),
        (["--records-share", "2", "--records-uri", "x"], "records_share"),
        (["--records-share", "nan", "--records-uri", "x"], "records_share"),
        (["--records-share", "0.1", "--records-uri", "ftp://host/x"], "records_uri"),
        (["--records-share", "0.1", "--records-uri", "https://host/x"], "records_uri"),
        (["--records-share", "0.1", "--records-uri", "s3://user:secret@bucket/x"], "records_uri"),
    ],
)
def test_mistakes_of_the_start_name_the_option(arguments: list[str], option: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        load_settings(arguments)
    assert raised.value.option == option
    assert "secret" not in str(raised.value)


def test_a_folder_that_cannot_be_written_to_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="cannot be written to"):
        FolderSink(tmp_path / "file" / "records")
