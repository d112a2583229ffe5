"""Hostile and merely unusual HTTP, through bare sockets."""

from collections.abc import Callable
from contextlib import ExitStack

import httpx
import pytest

from app.settings import Settings
from tests.support.colours import COLOURS
from tests.support.engines import FakeEngines
from tests.support.http import (
    RawConnection,
    assert_problem,
    assert_raw_problem,
    post_image,
    top_classes,
)
from tests.support.images import encode, photo
from tests.support.server import LiveServer, running

PICTURE = encode(photo(COLOURS[7]))
OCTETS = "content-type: application/octet-stream"


def test_pipelined_requests_are_answered_in_their_order(server: LiveServer) -> None:
    lines = ("host: x", OCTETS, f"content-length: {len(PICTURE)}", "", "")
    requests = [
        "\r\n".join((f"POST /classify?top_k={k} HTTP/1.1", *lines)).encode() + PICTURE
        for k in (1, 2, 3)
    ]
    last = b"GET /nowhere HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
    with RawConnection(server.port) as connection:
        connection.send(b"".join(requests) + last)
        answers = connection.read_to_end().split(b"HTTP/1.1 ")[1:]
    assert [answer.count(b'"rank"') for answer in answers] == [1, 2, 3, 0]


def test_a_chunked_body_is_an_image_too(server: LiveServer) -> None:
    with RawConnection(server.port) as connection:
        connection.send_head(OCTETS, "transfer-encoding: chunked")
        for at in range(0, len(PICTURE), 7):
            connection.send_chunk(PICTURE[at : at + 7])
        connection.send(b"0\r\n\r\n")
        assert connection.read_answer().startswith(b"HTTP/1.1 200 ")


def test_a_request_without_length_has_no_body(server: LiveServer) -> None:
    with RawConnection(server.port) as connection:
        connection.send_head(OCTETS)
        assert_raw_problem(connection.read_answer(), 400, "malformed_request")


def test_a_sender_who_breaks_the_framing_loses_its_connection_and_no_more(
    server: LiveServer, client: httpx.Client
) -> None:
    with RawConnection(server.port) as connection:
        connection.send_head(OCTETS, f"content-length: {len(PICTURE) - 1}")
        connection.send(PICTURE)
        assert connection.is_closed_by_server()
    assert top_classes(post_image(client, PICTURE)) == [7]


def test_both_ways_to_tell_a_length_are_too_many(server: LiveServer) -> None:
    with RawConnection(server.port) as connection:
        connection.send_head(OCTETS, "content-length: 4", "transfer-encoding: chunked")
        connection.send(b"0\r\n\r\n")
        assert connection.read_answer().startswith(b"HTTP/1.1 400 ")


def test_many_idle_connections_hold_up_nobody(
    make_settings: Callable[..., Settings],
) -> None:
    with ExitStack() as stack:
        live = stack.enter_context(running(make_settings(), FakeEngines()))
        client = stack.enter_context(live.client())
        for _ in range(200):
            stack.enter_context(RawConnection(live.port)).send(b"POST /classify HTTP/1.1\r\n")
        assert top_classes(post_image(client, PICTURE)) == [7]
        assert client.get("/readyz").status_code == 200


@pytest.mark.parametrize("value", [b"1", b"[]", b"{}", b'{"data":""}'])
def test_json_of_very_many_values_is_not_even_parsed(client: httpx.Client, value: bytes) -> None:
    body = b'{"images":[' + (value + b",") * 500_000 + value + b"]}"
    response = client.post("/classify", content=body, headers={"content-type": "application/json"})
    problem = assert_problem(response, 400, "malformed_request")
    assert "500000" in problem["detail"]


def test_deeply_nested_json_is_malformed(client: httpx.Client) -> None:
    body = b'{"images":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    response = client.post("/classify", content=body, headers={"content-type": "application/json"})
    assert_problem(response, 400, "malformed_request")
