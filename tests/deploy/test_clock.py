"""The machine's clock is set while the service runs: only what tells the time of day follows."""

import hashlib
import json
import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from email.utils import parsedate_to_datetime
from pathlib import Path

import httpx
import pytest

from tests.support.colours import COLOURS
from tests.support.http import (
    RawConnection,
    assert_problem,
    post_image,
    post_multipart,
    top_classes,
)
from tests.support.images import encode, photo
from tests.support.metrics import value
from tests.support.process import ServiceProcess
from tests.support.waiting import eventually

PICTURE = encode(photo(COLOURS[2]))
JUMPS = ["+10y", "-5y"]
OCTETS = "content-type: application/octet-stream"


class JumpingService:
    """A service whose clock of the day is what a file says. Its monotonic clock is the machine's.

    Args:
        folder: for its files.
        library: libfaketime.
        repository: of models.
    """

    def __init__(self, folder: Path, library: Path, repository: Path) -> None:
        self._offset = folder / "offset"
        self._offset.write_text("+0")
        self.keys = folder / "keys.json"
        self.allow("first")
        # A batch waits for a second image, and one request for four, so that states last.
        options = ["--max-batch-size", "2", "--max-queue-delay-ms", "9000", "--max-queue-size", "4"]
        options += ["--max-images-per-request", "4", "--api-keys-file", str(self.keys)]
        options += ["--model-repository", str(repository), "--model", "colours"]
        self.process = ServiceProcess(
            folder,
            *options,
            environment={
                "LD_PRELOAD": str(library),
                "FAKETIME_TIMESTAMP_FILE": str(self._offset),
                "FAKETIME_NO_CACHE": "1",
                "FAKETIME_DONT_FAKE_MONOTONIC": "1",
                "NO_FAKE_STAT": "1",
            },
        )

    def allow(self, name: str) -> None:
        """Makes `<name>-key` the only key."""
        digest = hashlib.sha256(f"{name}-key".encode()).hexdigest()
        key = {"name": name, "sha256": digest, "scopes": ["classify"]}
        self.keys.write_text(json.dumps({"keys": [key]}))

    def jump(self, offset: str, client: httpx.Client) -> None:
        """Sets the clock; returns once the service's answers are dated so."""
        before = dated(client)
        self._offset.write_text(offset)
        eventually(lambda: abs(dated(client) - before) > 1)


def dated(client: httpx.Client) -> int:
    """The year that the service's answers carry."""
    return parsedate_to_datetime(client.get("/livez").headers["date"]).year


@pytest.fixture
def service(
    tmp_path: Path, repository: Path, tool: Callable[[str], str]
) -> Iterator[JumpingService]:
    tool("faketime")
    [library] = Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")
    service = JumpingService(tmp_path, library, repository)
    yield service
    service.process.kill()


@pytest.mark.parametrize("offset", JUMPS)
def test_a_jump_of_the_clock_changes_no_deadline_and_no_duration(
    service: JumpingService, offset: str
) -> None:
    service.process.wait_until_ready()
    key = {"x-api-key": "first-key"}
    with service.process.client() as client, ThreadPoolExecutor(2) as threads:
        client.headers.update(key)
        assert len(top_classes(post_multipart(client, [("a", PICTURE), ("b", PICTURE)]))) == 2

        with RawConnection(int(service.process.url.rpartition(":")[2])) as slow:
            slow.send_head(OCTETS, "x-api-key: first-key", f"content-length: {len(PICTURE)}")
            slow.send(PICTURE[:50])
            queued = threads.submit(post_image, client, PICTURE)
            eventually(lambda: value(client, "senet_images_in_flight") == 1)

            service.jump(offset, client)

            # Neither the queue's delay nor any deadline is over: the image still waits.
            assert value(client, "senet_images_in_flight") == 1
            refused = post_multipart(client, [("x", PICTURE)] * 4)
            assert_problem(refused, 429, "overloaded")
            assert 1 <= int(refused.headers["retry-after"]) <= 60
            # The body's deadline is not over either, and its image fills the batch.
            slow.send(PICTURE[50:])
            assert slow.read_answer().startswith(b"HTTP/1.1 200 ")
        response = queued.result()
        assert top_classes(response) == [2]
        stages = response.headers["server-timing"].split(", ")
        assert all(0 <= float(stage.partition("dur=")[2]) < 60_000 for stage in stages)
        assert 0 <= value(client, "senet_request_duration_seconds_sum", route="/classify") < 60

    service.process.send_signal(signal.SIGTERM)
    assert service.process.wait() == 0
    durations = [entry["duration_ms"] for entry in service.process.log if "duration_ms" in entry]
    assert durations
    assert all(isinstance(ms, float) and 0 <= ms < 60_000 for ms in durations)


@pytest.mark.parametrize("offset", JUMPS)
def test_keys_are_reread_after_a_jump_of_the_clock(service: JumpingService, offset: str) -> None:
    service.process.wait_until_ready()
    pair = [("a", PICTURE), ("b", PICTURE)]
    with service.process.client() as client:
        client.headers["x-api-key"] = "first-key"
        assert len(top_classes(post_multipart(client, pair))) == 2
        service.jump(offset, client)
        service.allow("second")
        # A file may also come from a machine whose clock is behind.
        os.utime(service.keys, (1, 1))
        assert_problem(post_multipart(client, pair), 401, "unauthenticated")
        client.headers["x-api-key"] = "second-key"
        assert len(top_classes(post_multipart(client, pair))) == 2
