"""Most requests to classify are answered without ASGI: nobody can tell."""

import re
from base64 import b64encode
from collections.abc import Callable, Iterator

import httpx
import pytest

from app.settings import MEMORY_PER_BODY_BYTE, Settings
from app.transport.http.body_pieces import add_piece
from tests.support.colours import COLOURS
from tests.support.engines import FakeEngines
from tests.support.http import RawConnection, assert_raw_problem
from tests.support.images import encode, photo
from tests.support.metrics import value
from tests.support.server import LiveServer, running
from tests.support.waiting import eventually

PHOTO = encode(photo(COLOURS[9]))
OTHER = encode(photo(COLOURS[3]))
FORM = b"".join(
    b'--b\r\ncontent-disposition: form-data; name="image"; filename="%d.png"\r\n\r\n%b\r\n'
    % (number, data)
    for number, data in enumerate((PHOTO, OTHER, b"no image"))
)
BODY_BYTES = 50_000
RAW = "application/octet-stream"
# What differs from request to request.
_OWN = re.compile(rb"(?m)^(date|server-timing|x-request-id): .*\r\n|\"request_id\":\"[^\"]*\"")


@pytest.fixture(scope="module")
def server(make_settings: Callable[..., Settings]) -> Iterator[LiveServer]:
    settings = make_settings(
        max_images_per_request=3,
        max_body_bytes=BODY_BYTES,
        max_buffered_bytes=MEMORY_PER_BODY_BYTE * BODY_BYTES,
    )
    with running(settings, FakeEngines()) as live:
        yield live


@pytest.fixture
def client(server: LiveServer) -> Iterator[httpx.Client]:
    with server.client() as client:
        yield client


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("image/png", PHOTO),
        (RAW, PHOTO),
        (RAW, b""),
        (RAW, b"no image"),
        ("multipart/form-data; boundary=b", FORM + b"--b--\r\n"),
        ("multipart/form-data; boundary=b", FORM),
        ("multipart/form-data; boundary=b", FORM + FORM + b"--b--\r\n"),
        ("application/json", b'{"images": [{"data": "%b"}]}' % b64encode(PHOTO)),
        ("application/json", b"{"),
        ("text/plain", PHOTO),
    ],
)  # fmt: skip
@pytest.mark.parametrize("query", ["", "?top_k=2", "?top_k=0", "?model=other"])
def test_the_answers_are_the_same(
    server: LiveServer, content_type: str, body: bytes, query: str
) -> None:
    head = [f"content-type: {content_type}", f"content-length: {len(body)}"]
    # What a page may read is for the middleware to say.
    through_asgi = [*head, "origin: http://127.0.0.1"]
    answers = []
    for lines in (head, through_asgi):
        with RawConnection(server.port) as connection:
            connection.send_head(*lines, path="/classify" + query)
            connection.send(body)
            answers.append(_OWN.sub(b"", connection.read_answer()))
    direct, asgi = (answer.partition(b"\r\n\r\n") for answer in answers)
    assert direct[2] == asgi[2]
    assert sorted(direct[0].lower().split(b"\r\n")) == sorted(asgi[0].lower().split(b"\r\n"))


def test_a_body_may_come_in_any_pieces(server: LiveServer) -> None:
    with RawConnection(server.port) as connection:
        connection.send_head(f"content-type: {RAW}", f"content-length: {len(PHOTO)}")
        for start in range(0, len(PHOTO), 17):
            connection.send(PHOTO[start : start + 17])
        assert connection.read_answer().startswith(b"HTTP/1.1 200 OK\r\n")
        # With the next request right behind it.
        request = (
            f"POST /classify HTTP/1.1\r\nhost: localhost\r\ncontent-type: {RAW}\r\n"
            f"content-length: {len(PHOTO)}\r\n\r\n"
        ).encode() + PHOTO
        connection.send(request + request[:100])
        assert connection.read_answer().startswith(b"HTTP/1.1 200 OK\r\n")
        connection.send(request[100:])
        assert connection.read_answer().startswith(b"HTTP/1.1 200 OK\r\n")


def test_a_client_that_leaves_while_it_sends_is_counted_and_holds_nothing(
    server: LiveServer, client: httpx.Client
) -> None:
    left = {"route": "/classify", "status": "499"}
    before = value(client, "senet_requests_total", **left)
    all_there_is = ["content-type: application/json", f"content-length: {BODY_BYTES}"]

    def is_refused() -> bool:
        with RawConnection(server.port) as second:
            second.send_head(*all_there_is)
            second.send(b" " * BODY_BYTES)
            return second.read_answer().startswith(b"HTTP/1.1 429 ")

    with RawConnection(server.port) as connection:
        connection.send_head(*all_there_is)
        connection.send(b" ")
        eventually(is_refused)
    eventually(lambda: not is_refused())
    eventually(lambda: value(client, "senet_requests_total", **left) == before + 1)


def test_a_target_that_is_no_url_holds_nothing(make_settings: Callable[..., Settings]) -> None:
    settings = make_settings(
        max_head_bytes=200_000,
        max_body_bytes=BODY_BYTES,
        max_buffered_bytes=MEMORY_PER_BODY_BYTE * BODY_BYTES,
    )
    with running(settings, FakeEngines()) as live:
        for _ in range(4):
            with RawConnection(live.port) as connection:
                connection.send_head(
                    "content-type: application/json",
                    f"content-length: {BODY_BYTES}",
                    path="/classify?" + "&" * 70_000,
                )
                assert_raw_problem(connection.read_answer(), 431, "head_too_large")
        with RawConnection(live.port) as connection:
            connection.send_head("content-type: application/json", f"content-length: {BODY_BYTES}")
            connection.send(b" " * BODY_BYTES)
            assert_raw_problem(connection.read_answer(), 400, "malformed_request")


def test_pieces_of_a_few_bytes_are_kept_together() -> None:
    pieces: list[bytes] = []
    for piece in (b"a" * 5000, b"b", memoryview(b"cd"), b"e" * 5000, b"f"):
        add_piece(pieces, piece)
    assert [len(piece) for piece in pieces] == [5000, 3, 5000, 1]
    assert b"".join(pieces) == b"a" * 5000 + b"bcd" + b"e" * 5000 + b"f"


def test_a_body_that_is_too_slow_is_told_so(
    make_settings: Callable[..., Settings],
) -> None:
    settings = make_settings(body_timeout_ms=50, min_body_bytes_per_second=10**9)
    with running(settings, FakeEngines()) as live, RawConnection(live.port) as connection:
        connection.send_head(f"content-type: {RAW}", f"content-length: {len(PHOTO)}")
        connection.send(PHOTO[:-1])
        problem = assert_raw_problem(connection.read_answer(), 408, "body_timeout")
        assert problem["detail"].startswith(f"{len(PHOTO) - 1} bytes of the body came")
        connection.send(PHOTO[-1:])  # the connection ends with the body
        assert connection.read_to_end() == b""
