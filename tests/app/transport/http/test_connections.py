"""What comes before any request: connections and heads are bounded."""

import base64
import gc
from collections.abc import Callable, Iterator

import httpx
import pytest
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

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
from tests.support.metrics import value
from tests.support.server import LiveServer, running

PICTURE = encode(photo(COLOURS[3]))
MAX_HEAD_BYTES = 2000


@pytest.fixture(scope="module")
def server(make_settings: Callable[..., Settings]) -> Iterator[LiveServer]:
    settings = make_settings(max_head_bytes=MAX_HEAD_BYTES)
    with running(settings, FakeEngines()) as live:
        yield live


def answer_to(server: LiveServer, head: bytes) -> bytes:
    with RawConnection(server.port) as connection:
        connection.send(head)
        answer = connection.read_answer()
        assert connection.is_closed_by_server()
    return answer


@pytest.mark.parametrize(
    "head",
    [
        b"GET /livez HTTP/1.1\r\nhost: x\r\nx-long: " + b"a" * MAX_HEAD_BYTES + b"\r\n\r\n",
        b"GET /livez?" + b"a" * MAX_HEAD_BYTES + b" HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nx-never-ends: " + b"a" * (MAX_HEAD_BYTES + 1),
    ],
)
def test_a_head_that_is_too_long(server: LiveServer, head: bytes) -> None:
    assert_raw_problem(answer_to(server, head), 431, "head_too_large")


def test_a_head_up_to_the_limit_passes(client: httpx.Client) -> None:
    response = client.get("/livez", headers={"x-long": "a" * (MAX_HEAD_BYTES - 500)})
    assert response.status_code == 200


def test_what_is_no_http_is_a_problem(server: LiveServer) -> None:
    answer = answer_to(server, b"\x16\x03\x01 hello\r\n\r\n")
    assert_raw_problem(answer, 400, "malformed_request")


def test_refusals_outside_of_requests_are_counted(
    make_settings: Callable[..., Settings],
) -> None:
    settings = make_settings(max_head_bytes=MAX_HEAD_BYTES, head_timeout_ms=200)
    with running(settings, FakeEngines()) as live, live.client() as client:
        answer_to(live, b"no http\r\n\r\n")
        answer_to(live, b"GET / HTTP/1.1\r\nhost: x\r\nx: " + b"a" * MAX_HEAD_BYTES)
        answer_to(live, b"GET / HTTP/1.1\r\n")
        for status in ("400", "408", "431"):
            assert value(client, "senet_requests_total", route="unmatched", status=status) == 1
        for reason in ("malformed_request", "head_timeout", "head_too_large"):
            assert value(client, "senet_refused_connections_total", reason=reason) == 1


@pytest.mark.parametrize("length", [b"-1", b"many", b"1\r\ncontent-length: 2"])
def test_a_body_of_uncertain_length_is_refused(server: LiveServer, length: bytes) -> None:
    head = b"POST /classify HTTP/1.1\r\nhost: x\r\ncontent-length: " + length + b"\r\n\r\n"
    assert answer_to(server, head).startswith(b"HTTP/1.1 400 ")


def test_what_a_request_took_is_freed_without_the_garbage_collector(client: httpx.Client) -> None:
    def cycles() -> int:
        # Not isinstance, which asks some libraries' objects for their class, and they warn.
        return sum(type(thing) is RequestResponseCycle for thing in gc.get_objects())

    gc.collect()
    gc.disable()
    try:
        before = cycles()
        for _ in range(10):
            assert post_image(client, PICTURE).status_code == 200
        # The connection keeps the last one, and the one before may just be ending.
        assert cycles() - before <= 2
    finally:
        gc.enable()


def test_heads_that_are_too_slow(make_settings: Callable[..., Settings]) -> None:
    settings = make_settings(head_timeout_ms=100)
    with running(settings, FakeEngines()) as live, live.client() as client:
        with RawConnection(live.port) as silent:
            assert silent.is_closed_by_server()
        with RawConnection(live.port) as slow:
            slow.send(b"GET /livez HTTP/1.1\r\nhost: ")
            assert_raw_problem(slow.read_answer(), 408, "head_timeout")
        with RawConnection(live.port) as kept:
            kept.send(b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n")
            assert kept.read_answer().startswith(b"HTTP/1.1 200 ")
            kept.send(b"GET /livez HTTP/1.1\r\nhost: ")
            assert kept.read_answer().startswith(b"HTTP/1.1 408 ")
        assert client.get("/livez").status_code == 200


def test_the_head_s_clock_does_not_run_while_a_request_is_worked_on(
    make_settings: Callable[..., Settings],
) -> None:
    engine = FakeEngine()
    settings = make_settings(head_timeout_ms=20, request_timeout_ms=60_000)
    with running(settings, FakeEngines(engine)) as live:
        engine.gate.close()
        with RawConnection(live.port) as connection:
            connection.send_head("content-type: image/png", f"content-length: {len(PICTURE)}")
            connection.send(PICTURE)
            engine.gate.wait_until_held()
            with RawConnection(live.port) as silent:  # ends after the head's time
                assert silent.is_closed_by_server()
            engine.gate.open()
            assert connection.read_answer().startswith(b"HTTP/1.1 200 ")


def test_all_bodies_together_are_bounded(make_settings: Callable[..., Settings]) -> None:
    engine = FakeEngine()
    settings = make_settings(max_body_bytes=30_000, max_buffered_bytes=90_000)
    padded = PICTURE + b"\x00" * (25_000 - len(PICTURE))  # held twice
    with running(settings, FakeEngines(engine)) as live, live.client() as client:
        engine.gate.close()
        with RawConnection(live.port) as connection:
            connection.send_head("content-type: image/png", f"content-length: {len(padded)}")
            connection.send(padded)
            engine.gate.wait_until_held()
            assert_problem(post_image(client, padded), 429, "overloaded")
            engine.gate.open()
            assert connection.read_answer().startswith(b"HTTP/1.1 200 ")
        assert top_classes(post_image(client, padded)) == [3]


def test_decoding_a_form_s_base64_is_charged_as_well(
    make_settings: Callable[..., Settings],
) -> None:
    engine = FakeEngine()
    settings = make_settings(max_body_bytes=600_000, max_buffered_bytes=1_800_000)
    padded = PICTURE + b"\x00" * (590_000 - len(PICTURE))  # held twice
    text = base64.encodebytes(PICTURE + b"\x00" * 200_000)
    form = (
        b"--b\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\n%s\r\n--b--"
        % text
    )
    headers = {"content-type": "multipart/form-data; boundary=b"}
    with running(settings, FakeEngines(engine)) as live, live.client() as client:
        engine.gate.close()
        with RawConnection(live.port) as connection:
            connection.send_head("content-type: image/png", f"content-length: {len(padded)}")
            connection.send(padded)
            engine.gate.wait_until_held()
            # There is room for it twice, but not three times.
            assert_problem(
                client.post("/classify", content=form, headers=headers), 429, "overloaded"
            )
            engine.gate.open()
            assert connection.read_answer().startswith(b"HTTP/1.1 200 ")
        assert top_classes(client.post("/classify", content=form, headers=headers)) == [3]


def test_a_compressed_body_is_refused(client: httpx.Client) -> None:
    response = post_image(client, PICTURE, headers={"content-encoding": "gzip"})
    assert_problem(response, 415, "unsupported_media_type")
    response = post_image(client, PICTURE, headers={"content-encoding": "Identity"})
    assert top_classes(response) == [3]
