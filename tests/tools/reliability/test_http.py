"""Hostile and merely unusual HTTP, through bare sockets."""

from collections.abc import Callable
from contextlib import ExitStack

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


@pytest.mark.parametrize("before", [1, 3])
def test_what_is_no_http_waits_for_the_answers_that_are_due(
    make_settings: Callable[..., Settings], before: int
) -> None:
    engine = FakeEngine()
    request = (
        f"POST /classify HTTP/1.1\r\nhost: x\r\n{OCTETS}\r\ncontent-length: {len(PICTURE)}\r\n\r\n"
    ).encode() + PICTURE
    with running(make_settings(), FakeEngines(engine)) as live:
        engine.gate.close()
        with RawConnection(live.port) as connection:
            connection.send(request * before + b"\x00\x01 no HTTP\r\n\r\n")
            engine.gate.wait_until_held()
            connection.send(b"more of it")
            engine.gate.open()
            answers = connection.read_to_end().split(b"HTTP/1.1 ")[1:]
    assert [answer[:3] for answer in answers] == [b"200"] * before + [b"400"]
    assert all(b'"class_index":7' in answer for answer in answers[:-1])
    assert b'"code":"malformed_request"' in answers[-1]


def test_a_head_that_is_too_long_waits_for_the_answers_that_are_due(server: LiveServer) -> None:
    request = b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n"
    with RawConnection(server.port) as connection:
        connection.send(request + b"GET /livez HTTP/1.1\r\nx-long: " + b"a" * 100_000)
        answers = connection.read_to_end().split(b"HTTP/1.1 ")[1:]
    assert [answer[:3] for answer in answers] == [b"200", b"431"]


@pytest.mark.parametrize("before", [0, 2])
def test_a_body_that_breaks_its_framing_is_refused_in_its_turn(
    server: LiveServer, client: httpx.Client, before: int
) -> None:
    whole = b"GET /nowhere HTTP/1.1\r\nhost: x\r\n\r\n"
    broken = (
        b"POST /classify HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nno length\r\n"
    )
    with RawConnection(server.port) as connection:
        connection.send(whole * before + broken)
        answers = connection.read_to_end().split(b"HTTP/1.1 ")[1:]
    assert [answer[:3] for answer in answers] == [b"404"] * before + [b"400"]
    assert top_classes(post_image(client, PICTURE)) == [7]


def test_a_body_longer_than_it_said_ends_the_connection_after_its_answer(
    server: LiveServer, client: httpx.Client
) -> None:
    with RawConnection(server.port) as connection:
        connection.send_head(OCTETS, f"content-length: {len(PICTURE) - 1}")
        connection.send(PICTURE)
        first, second = connection.read_to_end().split(b"HTTP/1.1 ")[1:]
    assert first.startswith(b"200 ")  # a PNG's last byte is not part of its picture
    assert second.startswith(b"400 ")
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
