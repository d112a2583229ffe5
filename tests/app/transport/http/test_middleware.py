"""Request ids, unexpected errors, cross-origin pages, headers for browsers."""

import logging
import re
from collections.abc import Callable, Iterator

import httpx
import pytest

from app.settings import Settings
from tests.support.colours import COLOURS
from tests.support.engines import FakeEngines
from tests.support.http import assert_problem, post_image
from tests.support.images import encode, photo
from tests.support.metrics import value
from tests.support.server import LiveServer, running

PICTURE = encode(photo(COLOURS[0]))
PAGE = "https://example.org"


@pytest.fixture(scope="module")
def server(make_settings: Callable[..., Settings]) -> Iterator[LiveServer]:
    live_settings = make_settings(cors_origins=PAGE)
    with running(live_settings, FakeEngines()) as live:

        @live.app.get("/broken")
        async def broken() -> None:
            raise ZeroDivisionError("a secret of the code")

        yield live


@pytest.mark.parametrize("offered", ["a", "A.b_c-9", "x" * 128])
def test_a_request_id_is_taken_and_echoed(client: httpx.Client, offered: str) -> None:
    response = post_image(client, PICTURE, headers={"x-request-id": offered})
    assert response.headers["x-request-id"] == offered
    problem = assert_problem(client.get("/x", headers={"x-request-id": offered}), 404, "not_found")
    assert problem["request_id"] == offered


@pytest.mark.parametrize("offered", ["", "x" * 129, "a b", "é", '"}{', "a\tb", "<script>", "%0d"])
def test_a_hostile_request_id_is_replaced(client: httpx.Client, offered: str) -> None:
    headers = {b"x-request-id": offered.encode("latin-1")}
    response = client.get("/livez", headers=headers)
    assert re.fullmatch(r"[0-9a-f]{32}", response.headers["x-request-id"])


def test_every_request_gets_an_id_of_its_own(client: httpx.Client) -> None:
    ids = {client.get("/livez").headers["x-request-id"] for _ in range(5)}
    assert len(ids) == 5


def test_an_unexpected_error_is_a_problem_and_stands_in_the_log(
    client: httpx.Client, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR, "app"):
        response = client.get("/broken", headers={"x-request-id": "find-me"})
    problem = assert_problem(response, 500, "internal_error")
    assert problem["request_id"] == "find-me"
    assert "secret" not in response.text
    [record] = [record for record in caplog.records if record.exc_info]
    assert record.exc_info is not None
    assert record.exc_info[0] is ZeroDivisionError
    assert value(client, "senet_requests_total", route="/broken", status="500") == 1


def test_requests_are_logged_with_route_and_status(
    client: httpx.Client, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "app"):
        post_image(client, PICTURE)
        client.get("/livez")  # probes would drown the rest: they are logged at debug level
    [record] = [record for record in caplog.records if record.message == "request"]
    assert vars(record)["route"] == "/classify"
    assert vars(record)["status"] == 200
    assert vars(record)["duration_ms"] > 0


def test_pages_of_allowed_origins_may_call(client: httpx.Client) -> None:
    preflight = client.options(
        "/classify",
        headers={
            "origin": PAGE,
            "access-control-request-method": "POST",
            "access-control-request-headers": "x-api-key, content-type",
        },
    )
    assert preflight.status_code == 200
    assert preflight.headers["access-control-allow-origin"] == PAGE
    assert "x-api-key" in preflight.headers["access-control-allow-headers"]
    response = post_image(client, PICTURE, headers={"origin": PAGE})
    assert response.headers["access-control-allow-origin"] == PAGE
    assert "X-Request-ID" in response.headers["access-control-expose-headers"]


@pytest.mark.parametrize(("path", "status"), [("/broken", 500), ("/nowhere", 404)])
def test_pages_of_allowed_origins_may_read_errors(
    client: httpx.Client, path: str, status: int
) -> None:
    response = client.get(path, headers={"origin": PAGE})
    assert response.status_code == status
    assert response.headers["access-control-allow-origin"] == PAGE


def test_pages_of_other_origins_may_not(client: httpx.Client) -> None:
    response = post_image(client, PICTURE, headers={"origin": "https://evil.example"})
    assert "access-control-allow-origin" not in response.headers


def test_no_browser_guesses_at_types(client: httpx.Client) -> None:
    for path in ("/livez", "/docs", "/nowhere", "/broken"):
        assert client.get(path).headers.get("x-content-type-options") == "nosniff", path
