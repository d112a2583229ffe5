"""`GET /models/{m}/drift` and the series of the same."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from app.cli.keys import add_key
from app.settings import Settings
from app.transport.http.drift_body import drift_body
from tests.support.colours import COLOURS
from tests.support.engines import FakeEngines
from tests.support.http import assert_problem, post_image
from tests.support.images import encode, photo
from tests.support.metrics import samples
from tests.support.operator import Operator
from tests.support.repository import write_model
from tests.support.server import LiveServer, running
from tests.support.trusted import with_reference

# All of one class: as unlike the reference as can be.
PICTURE = encode(photo(COLOURS[9]))


@pytest.fixture
def live(make_settings: Callable[..., Settings], tmp_path: Path) -> Iterator[LiveServer]:
    """Version 1 has a reference, version 2 has none."""
    write_model(tmp_path, change=with_reference)
    write_model(tmp_path, version=2)
    settings = make_settings(model_repository=tmp_path, models=("colours:1", "colours:2"))
    with running(settings, FakeEngines()) as live:
        yield live


@pytest.fixture
def client(live: LiveServer) -> Iterator[httpx.Client]:
    with live.client() as client:
        yield client


def of_version(client: httpx.Client, version: str) -> dict[str, object]:
    response = client.get("/models/colours/drift")
    assert response.status_code == 200, response.text
    body = response.json()
    assert body["name"] == "colours"
    [found] = [own for own in body["versions"] if own["version"] == version]
    return dict(found)


def test_a_version_tells_each_signal_of_both_windows(client: httpx.Client) -> None:
    for _ in range(64):
        post_image(client, PICTURE, params={"version": "1"})
    found = of_version(client, "1")
    assert found["reference"] == {"dataset": "drawn colours, 2000 photos", "images": 2000}
    assert found["images"] == 64
    signals = {(own["signal"], own["window"]): own for own in found["signals"]}  # type: ignore[attr-defined]
    assert {window for _, window in signals} == {64, 1024}
    classes = signals["classes", 64]
    assert classes["value"] > classes["threshold"] > 0
    assert classes["exceeded"]
    assert abs((datetime.now(UTC) - datetime.fromisoformat(classes["since"])).total_seconds()) < 60
    assert signals["classes", 1024] == {
        "signal": "classes",
        "window": 1024,
        "value": None,
        "threshold": None,
        "images": 0,
        "exceeded": False,
        "since": None,
    }


def test_a_version_without_a_reference_says_so(client: httpx.Client) -> None:
    for _ in range(64):
        post_image(client, PICTURE, params={"version": "2"})
    found = of_version(client, "2")
    assert found["reference"] is None
    assert found["signals"] == []
    assert "colours:2 has no reference" in str(found["detail"])


def test_a_model_that_is_not_served_is_not_found(client: httpx.Client) -> None:
    assert_problem(client.get("/models/other/drift"), 404, "model_not_found")


def test_the_series_is_a_multiple_of_the_threshold(client: httpx.Client) -> None:
    for _ in range(64):
        post_image(client, PICTURE, params={"version": "1"})
    found = {
        (labels["version"], labels["signal"], labels["window"]): value
        for (name, pairs), value in samples(client).items()
        if name == "senet_drift"
        for labels in [dict(pairs)]
    }
    assert {version for version, _, _ in found} == {"1"}
    assert found["1", "classes", "64"] > 1


def test_a_version_that_comes_in_the_middle_of_a_window_begins_its_own(
    make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    write_model(tmp_path / "models", change=with_reference)
    write_model(tmp_path / "models", version=2, change=with_reference)
    keys = tmp_path / "keys.json"
    key = add_key(keys, "operator", ["admin", "classify"])
    settings = make_settings(
        model_repository=tmp_path / "models", model="colours:1", api_keys_file=keys
    )
    with running(settings, FakeEngines()) as live, live.client() as client:
        operator = Operator(client, key)
        for _ in range(40):
            post_image(client, PICTURE)
        operator.done(operator.load("colours", 2))
        operator.done(operator.label("colours", "stable", 2))
        for _ in range(40):
            post_image(client, PICTURE)
        assert [of_version(client, version)["images"] for version in ("1", "2")] == [40, 40]
        for _ in range(24):
            post_image(client, PICTURE, params={"version": "1"})
        operator.done(operator.unload("colours", 1))
        left = {dict(pairs)["version"] for (name, pairs) in samples(client) if "drift" in name}
        assert left == set()


class Watch:
    """A time of day that somebody sets."""

    def __init__(self) -> None:
        self.time = datetime(2026, 1, 1, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.time


def test_a_time_of_day_that_is_set_changes_no_duration(live: LiveServer) -> None:
    with live.client() as client:
        for _ in range(64):
            post_image(client, PICTURE, params={"version": "1"})
    watch, now = Watch(), time.monotonic()
    table = live.service.table

    def since() -> str | None:
        [own, *_] = [
            signal
            for version in drift_body(table, "colours", lambda: now + 3600, watch)["versions"]
            for signal in version["signals"]
            if signal["exceeded"]
        ]
        return own["since"]

    first = since()
    watch.time += timedelta(days=400)
    second = since()
    assert first is not None
    assert second is not None
    assert datetime.fromisoformat(first).date() == date(2026, 1, 1)
    # As long ago as before, by the clock that is right now.
    assert datetime.fromisoformat(second) - datetime.fromisoformat(first) == timedelta(days=400)
