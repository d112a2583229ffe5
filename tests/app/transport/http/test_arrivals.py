"""At capacity a head is refused as the whole request would be."""

import contextlib
import json
import logging
from collections.abc import Callable, Iterator

import httpx
import pytest

from app.settings import Settings
from tests.support.colours import COLOURS
from tests.support.engines import FakeEngine, FakeEngines
from tests.support.http import (
    RawConnection,
    assert_problem,
    assert_raw_problem,
    post_image,
)
from tests.support.images import encode, photo
from tests.support.metrics import value
from tests.support.server import LiveServer, running

PICTURE = encode(photo(COLOURS[0]))
OCTETS = "content-type: application/octet-stream"
LENGTH = f"content-length: {len(PICTURE)}"


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def server(make_settings: Callable[..., Settings], engine: FakeEngine) -> Iterator[LiveServer]:
    settings = make_settings(max_queue_size=1, max_batch_size=1, max_images_per_request=1)
    with running(settings, FakeEngines(engine)) as live:
        yield live


@pytest.fixture
def full(server: LiveServer, engine: FakeEngine) -> Iterator[RawConnection]:
    """The connection of the image that fills the service, until the engine's gate is opened."""
    engine.gate.close()
    with RawConnection(server.port) as inside:
        inside.send_head(OCTETS, LENGTH)
        inside.send(PICTURE)
        engine.gate.wait_until_held()
        yield inside
        engine.gate.open()


@pytest.mark.usefixtures("full")
def test_the_answer_is_that_of_the_way_through_the_middleware(client: httpx.Client) -> None:
    by_the_head = post_image(client, PICTURE, headers={"x-request-id": "mine"})
    # Only the middleware knows what a page may read.
    of_a_page = {"x-request-id": "mine", "origin": "http://127.0.0.1"}
    inside = post_image(client, PICTURE, headers=of_a_page)
    for response in (by_the_head, inside):
        assert_problem(response, 429, "overloaded")
        assert response.headers["x-request-id"] == "mine"
        assert response.headers["retry-after"] == "1"
    assert by_the_head.json() == inside.json()
    assert value(client, "senet_rejected_total", reason="capacity") == 2  # once each
    assert by_the_head.headers.keys() == inside.headers.keys()


@pytest.mark.usefixtures("full")
def test_it_is_counted_and_logged(client: httpx.Client, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "app"):
        post_image(client, PICTURE)
    [line] = [record for record in caplog.records if record.getMessage() == "request"]
    noted = {name: vars(line)[name] for name in ("outcome", "route", "status")}
    assert noted == {"outcome": "overloaded", "route": "/classify", "status": 429}
    assert value(client, "senet_requests_total", route="/classify", status="429") == 1
    assert value(client, "senet_request_duration_seconds_count", route="/classify") == 1
    assert value(client, "senet_rejected_total", reason="capacity") == 1


def test_the_connection_serves_on(
    server: LiveServer, full: RawConnection, engine: FakeEngine
) -> None:
    with RawConnection(server.port) as connection:
        connection.send_head(OCTETS, LENGTH)
        answer = connection.read_answer()  # before its body is sent
        assert_raw_problem(answer, 429, "overloaded")
        assert b"connection: close" not in answer.lower()
        engine.gate.open()
        assert full.read_answer().startswith(b"HTTP/1.1 200 ")
        connection.send(PICTURE)
        connection.send_head(OCTETS, LENGTH)
        connection.send(PICTURE)
        assert connection.read_answer().startswith(b"HTTP/1.1 200 ")


@pytest.mark.usefixtures("full")
def test_requests_sent_at_once_are_answered_one_by_one(server: LiveServer) -> None:
    head = f"POST /classify HTTP/1.1\r\nhost: x\r\n{OCTETS}\r\n{LENGTH}\r\n".encode()
    last = b"GET /nowhere HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
    ids = [b"x-request-id: %d\r\n\r\n" % number for number in range(4)]
    with RawConnection(server.port) as connection:
        connection.send(b"".join(head + own + PICTURE for own in ids) + last)
        answers = connection.read_to_end().split(b"HTTP/1.1 ")[1:]
    assert [answer[:3] for answer in answers] == [b"429"] * 4 + [b"404"]
    bodies = [json.loads(answer.partition(b"\r\n\r\n")[2]) for answer in answers[:4]]
    assert [body["request_id"] for body in bodies] == ["0", "1", "2", "3"]


@pytest.mark.usefixtures("full")
@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/classify?model=x", 404, "model_not_found"),
        ("/classify?top_k=0", 422, "invalid_parameter"),
    ],
)
def test_other_reasons_are_told_inside(
    server: LiveServer, path: str, status: int, code: str
) -> None:
    with RawConnection(server.port) as connection:
        connection.send_head(OCTETS, LENGTH, path=path)
        assert_raw_problem(connection.read_answer(), status, code)


@pytest.mark.usefixtures("full")
@pytest.mark.parametrize("header", ["connection: close", "expect: 100-continue"])
def test_a_connection_that_is_to_close_closes(server: LiveServer, header: str) -> None:
    with RawConnection(server.port) as connection:
        connection.send_head(OCTETS, LENGTH, header)
        answer = connection.read_answer()
        assert_raw_problem(answer, 429, "overloaded")
        assert b"connection: close" in answer.lower()
        if header.startswith("connection"):
            connection.send(PICTURE)
        assert connection.is_closed_by_server()


@pytest.mark.usefixtures("full")
def test_what_is_no_body_ends_the_connection(server: LiveServer) -> None:
    with RawConnection(server.port) as connection:
        connection.send_head(OCTETS, "transfer-encoding: chunked")
        assert_raw_problem(connection.read_answer(), 429, "overloaded")
        with contextlib.suppress(ConnectionError):
            connection.send(b"no length\r\n")
        assert connection.is_closed_by_server()
