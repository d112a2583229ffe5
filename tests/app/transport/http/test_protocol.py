"""What a connection makes of HTTP: offers of other protocols, rows of requests, broken rules."""

import gc
import re
import socket
from collections.abc import Callable, Iterator

import httpx
import pytest
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from app.settings import Settings
from tests.support.colours import COLOURS
from tests.support.engines import FakeEngine, FakeEngines
from tests.support.http import RawConnection, post_image
from tests.support.images import encode, photo
from tests.support.metrics import samples
from tests.support.server import LiveServer, running
from tests.support.waiting import eventually

PICTURE = encode(photo(COLOURS[2]))
MAX_HEAD_BYTES = 4096
H2C = (
    "connection: Upgrade, HTTP2-Settings",
    "upgrade: h2c",
    "http2-settings: AAMAAABkAARAAAAAAAIAAAAA",
)
WEBSOCKET = (
    "connection: keep-alive, Upgrade",
    "upgrade: websocket",
    "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==",
    "sec-websocket-version: 13",
)
GET = b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n"


@pytest.fixture(scope="module")
def server(make_settings: Callable[..., Settings]) -> Iterator[LiveServer]:
    with running(make_settings(max_head_bytes=MAX_HEAD_BYTES), FakeEngines()) as live:
        yield live


def head(*headers: str, first: str = "POST /classify HTTP/1.1") -> bytes:
    return "\r\n".join([first, "host: x", *headers, "", ""]).encode()


def picture(*headers: str) -> bytes:
    return head("content-type: image/png", f"content-length: {len(PICTURE)}", *headers) + PICTURE


def chunked_picture(*headers: str, trailers: bytes = b"") -> bytes:
    chunks = b"".join(
        b"%x;a=b\r\n%b\r\n" % (len(part), part) for part in (PICTURE[:100], PICTURE[100:])
    )
    begin = head("content-type: image/png", "transfer-encoding: chunked", *headers)
    return begin + chunks + b"0\r\n" + trailers + b"\r\n"


def statuses(server: LiveServer, data: bytes) -> list[int]:
    """Those of all answers to `data`, of which the last request ends the connection."""
    with RawConnection(server.port) as connection:
        connection.send(data)
        return [int(code) for code in re.findall(rb"HTTP/1\.1 (\d+)", connection.read_to_end())]


LAST = head("connection: close", first="GET /livez HTTP/1.1")


@pytest.mark.parametrize("offer", [H2C, WEBSOCKET, ("connection: upgrade", "upgrade: foo/1, bar")])
@pytest.mark.parametrize("make", [picture, chunked_picture])
def test_an_offer_of_another_protocol_is_ignored(
    server: LiveServer, make: Callable[..., bytes], offer: tuple[str, ...]
) -> None:
    data = make(*offer) * 2 + GET + make() + head(*offer, first="GET /livez HTTP/1.1") + LAST
    assert statuses(server, data) == [200] * 6


def test_an_offer_may_come_with_its_body_apart(server: LiveServer) -> None:
    with RawConnection(server.port) as connection:
        for _ in range(2):
            data = picture(*H2C)
            connection.send(data[: -len(PICTURE)])
            connection.send(PICTURE[:50])
            connection.send(PICTURE[50:])
            assert connection.read_answer().startswith(b"HTTP/1.1 200 ")


def test_an_offer_may_wait_for_100_continue(server: LiveServer) -> None:
    with RawConnection(server.port) as connection:
        connection.send(picture("expect: 100-continue", *H2C)[: -len(PICTURE)])
        assert connection.read_interim().startswith(b"HTTP/1.1 100 ")
        connection.send(PICTURE)
        assert connection.read_answer().startswith(b"HTTP/1.1 200 ")


def test_the_body_of_an_offer_is_never_a_request(server: LiveServer, client: httpx.Client) -> None:
    smuggled = head(first="GET /smuggled HTTP/1.1")
    length = f"content-length: {len(smuggled)}"
    data = head("content-type: image/png", length, *H2C) + smuggled + LAST
    before = seen(client)
    assert statuses(server, data) == [415, 200]
    after = seen(client)
    assert after["/classify"] == before.get("/classify", 0) + 1
    assert after.get("unmatched", 0) == before.get("unmatched", 0)


def seen(client: httpx.Client) -> dict[str, float]:
    """How many requests each route has answered."""
    counts: dict[str, float] = {}
    for (name, labels), count in samples(client).items():
        if name == "senet_requests_total":
            route = dict(labels)["route"]
            counts[route] = counts.get(route, 0) + count
    return counts


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (head(first="CONNECT x:443 HTTP/1.1") + GET, [501]),
        (GET + head("content-length: 3", first="CONNECT x:443 HTTP/1.1") + b"abc", [200, 501]),
        (head(first="GET /livez HTTP/2.0") + GET, [505]),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", [400]),
        (b"GET /livez\r\n\r\n", [505]),
        (b"GET /livez\r\n" + GET, [400]),
        (chunked_picture("content-length: 3") + GET, [400]),
        (head("transfer-encoding: gzip, chunked") + GET, [501]),
        (head("x: a\r\n b") + GET, [400]),
        (b"GET /livez HTTP/1.1\r\n\r\n" + GET, [400]),
        (head("host: x") + GET, [400]),
        (b"GET /livez HTTP/1.1\r\nhost: a b\r\n\r\n" + GET, [400]),
        (GET + b"junk\r\n\r\n", [200, 400]),
        (picture() + b"junk\r\n\r\n" + GET, [200, 400]),
        (picture("connection: close", *H2C) + GET, [200]),
        (b"\r\n" * MAX_HEAD_BYTES + GET, [431]),
        (head(*["a: b"] * 200) + GET, [431]),
        (head(*["a: b"] * 200, *H2C) + GET, [431]),
    ],
)
def test_what_ends_a_connection(server: LiveServer, data: bytes, expected: list[int]) -> None:
    assert statuses(server, data) == expected


@pytest.mark.parametrize(
    "data",
    [
        head(first="GET http://x/livez HTTP/1.1"),
        head(first="GET http://x HTTP/1.1"),
        picture().replace(b"POST /classify", b"POST http://x/classify?top_k=1"),
        GET + b"\r\n\r\n",
        picture() + b"\r\n",
        chunked_picture(trailers=b"upgrade: h2c\r\nconnection: upgrade\r\n"),
        picture("expect: something"),
        head(f"content-length: {len(PICTURE)}", first="HEAD /livez HTTP/1.1") + PICTURE,
        head(*["a: b"] * 100, first="GET /livez HTTP/1.1"),
    ],
)
def test_what_does_not(server: LiveServer, data: bytes) -> None:
    first, *others = statuses(server, data + LAST)
    assert first in (200, 307)  # the root leads to the documentation
    assert others == [200]


def test_http_1_0_needs_no_host_and_is_not_told_to_go_on(server: LiveServer) -> None:
    assert statuses(server, b"GET /livez HTTP/1.0\r\n\r\n") == [200]
    old = picture("expect: 100-continue").replace(b"HTTP/1.1", b"HTTP/1.0")
    assert statuses(server, old) == [200]


@pytest.mark.parametrize(
    "more",
    [
        b"0\r\n" + b"a: b\r\n" * 20_000,
        b"0\r\na: " + b"b" * 100_000,
        b"5;" + b"x" * 100_000,
        (b"1;" + b"x" * 50 + b"\r\nx\r\n") * 2000,
        b"1\r\nx\r\n" * 20_000,
    ],
)
@pytest.mark.parametrize("path", ["/classify", "/livez"])
def test_a_body_that_is_mostly_framing_ends_the_connection(
    server: LiveServer, path: str, more: bytes
) -> None:
    first = f"POST {path} HTTP/1.1" if path == "/classify" else f"GET {path} HTTP/1.1"
    with RawConnection(server.port) as connection:
        connection.send(head("content-type: image/png", "transfer-encoding: chunked", first=first))
        connection.send(more)
        answers = connection.read_to_end()
    assert len(re.findall(rb"HTTP/1\.1 ", answers)) == 1


def test_a_long_head_sees_why_though_its_sender_goes_on(server: LiveServer) -> None:
    data = head("x: " + "a" * MAX_HEAD_BYTES, "content-length: 5000000") + b"x" * 5_000_000
    assert statuses(server, data) == [431]


def test_a_row_of_requests_waits_unparsed(make_settings: Callable[..., Settings]) -> None:
    def cycles() -> int:
        return sum(type(thing) is RequestResponseCycle for thing in gc.get_objects())

    engine = FakeEngine()
    row = 300
    with running(make_settings(), FakeEngines(engine)) as live:
        engine.gate.close()
        with RawConnection(live.port) as connection:
            gc.collect()
            before = cycles()
            connection.send(picture() + GET * row + LAST)
            engine.gate.wait_until_held()
            assert cycles() - before <= 1
            engine.gate.open()
            answers = connection.read_to_end()
    assert len(re.findall(rb"HTTP/1\.1 200 ", answers)) == row + 2


def nonreader(port: int) -> socket.socket:
    """A client that asks for much, and reads none of it."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.connect(("127.0.0.1", port))
    connection.sendall(b"GET /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n" * 1000)
    return connection


def test_a_client_that_does_not_read_is_left(make_settings: Callable[..., Settings]) -> None:
    settings = make_settings(body_timeout_ms=50, min_body_bytes_per_second=10**9)
    with running(settings, FakeEngines()) as live, nonreader(live.port):
        eventually(lambda: live.connections == 1)
        eventually(lambda: live.connections == 0)


@pytest.fixture
def patient(make_settings: Callable[..., Settings]) -> Iterator[LiveServer]:
    """A service whose limits are of no help within a test's time."""
    hour_ms = 3_600_000
    settings = make_settings(drain_seconds=3600, body_timeout_ms=hour_ms, head_timeout_ms=hour_ms)
    with running(settings, FakeEngines()) as live:
        yield live


def test_who_does_not_read_holds_no_drain(patient: LiveServer) -> None:
    with nonreader(patient.port):
        with patient.client() as client:
            assert client.get("/livez").status_code == 200
        eventually(lambda: patient.connections == 1)
        patient.begin_drain()
        patient.join()


def test_who_has_not_sent_its_body_holds_no_drain(patient: LiveServer) -> None:
    with RawConnection(patient.port) as connection:
        connection.send(picture("expect: 100-continue")[: -len(PICTURE)])
        assert connection.read_interim().startswith(b"HTTP/1.1 100 ")
        patient.begin_drain()
        answer = connection.read_answer()
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b'"code":"draining"' in answer
        assert b"retry-after: " in answer
        patient.join()


def test_who_is_slow_with_the_rest_of_a_refused_body_holds_no_drain(patient: LiveServer) -> None:
    with RawConnection(patient.port) as connection:
        connection.send_head("content-length: 1000", path="/classify?model=x")
        assert connection.read_answer().startswith(b"HTTP/1.1 404 ")
        patient.begin_drain()
        patient.join()


def test_other_requests_are_served_meanwhile(server: LiveServer, client: httpx.Client) -> None:
    with nonreader(server.port):
        assert post_image(client, PICTURE).status_code == 200
