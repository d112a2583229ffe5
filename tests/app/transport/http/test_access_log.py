"""One line per request: who, what came of it, where the time went; sampled, never the failures."""

import logging
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from app.settings import Settings
from tests.support.colours import COLOURS
from tests.support.engines import FakeEngines
from tests.support.http import post_image, post_json
from tests.support.images import encode, photo, truncated_jpeg
from tests.support.process import ServiceProcess
from tests.support.server import running
from tests.support.waiting import eventually

PICTURE = encode(photo(COLOURS[0]))


@pytest.fixture
def process(tmp_path: Path, repository: Path) -> Iterator[ServiceProcess]:
    started = ServiceProcess(tmp_path, "--model-repository", repository, "--model", "colours")
    started.wait_until_ready()
    yield started
    started.kill()


def requests(process: ServiceProcess) -> list[dict[str, Any]]:
    return [entry for entry in process.log if entry["message"] == "request"]


def test_a_request_leaves_its_id_outcome_and_stages(process: ServiceProcess) -> None:
    with process.client() as client:
        post_image(client, PICTURE, headers={"x-request-id": "good"})
        post_image(client, truncated_jpeg(), headers={"x-request-id": "bad"})
        post_json(client, [("a", PICTURE), ("b", b"no picture")])
        client.post("/classify", content=b"x", headers={"content-type": "text/plain"})
    eventually(lambda: len(requests(process)) == 4)
    good, bad, mixed, refused = requests(process)
    assert (good["request_id"], good["outcome"], good["status"]) == ("good", "ok", 200)
    assert good["images"] == 1
    assert all(good[f"{stage}_ms"] > 0 for stage in ("decode", "inference", "duration"))
    assert good["queue_ms"] >= 0
    assert (bad["request_id"], bad["outcome"], bad["status"]) == ("bad", "invalid_image", 422)
    assert (mixed["outcome"], mixed["images"], mixed["failed_images"]) == ("ok", 2, 1)
    assert refused["outcome"] == "unsupported_media_type"


def test_sighup_switches_to_debug_and_back(process: ServiceProcess) -> None:
    def said(level: str) -> int:
        return [entry["message"] for entry in process.log].count(f"log level is now {level}")

    with process.client() as client:
        client.get("/livez")
        process.send_signal(signal.SIGHUP)
        eventually(lambda: said("debug") == 1)
        client.get("/readyz")
        process.send_signal(signal.SIGHUP)
        eventually(lambda: said("info") == 1)
        client.get("/startupz")
    routes = [entry["route"] for entry in requests(process)]
    assert routes == ["/readyz"]


def test_successes_are_sampled_and_failures_never(
    make_settings: Callable[..., Settings], caplog: pytest.LogCaptureFixture
) -> None:
    with (
        running(make_settings(access_log_share=0.25), FakeEngines()) as live,
        live.client() as client,
        caplog.at_level(logging.INFO, "app"),
    ):
        for number in range(40):
            post_image(client, PICTURE, headers={"x-request-id": f"good-{number}"})
        post_image(client, truncated_jpeg())
    outcomes = [vars(record)["outcome"] for record in caplog.records if record.msg == "request"]
    assert outcomes.count("invalid_image") == 1
    assert 4 <= outcomes.count("ok") <= 16
    assert len(outcomes) == outcomes.count("ok") + 1
