"""One message at a time, wherever the reads happen to end."""

from itertools import pairwise

import httptools
import pytest

from app.transport.http.request_head import body_length
from app.transport.http.request_parser import RequestParser

GET = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"
OFFER = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"
MAX_HEAD_BYTES = 1000
CHUNKED = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"


class Recorder:
    """Writes down what a parser tells."""

    def __init__(self) -> None:
        self.parser = RequestParser(self, max_head_bytes=MAX_HEAD_BYTES)
        self.requests: list[tuple[bytes, bytes]] = []
        self.url = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self._body = b""

    def on_message_begin(self) -> None:
        self.url = self._body = b""
        self.headers = []

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        self.parser.expect_body(body_length(self.parser.get_method(), "1.1", self.headers))

    def on_body(self, body: bytes | memoryview) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        self.requests.append((self.url, self._body))

    def feed(self, data: bytes) -> list[int]:
        """Feeds all of it; how many requests were complete after each piece."""
        counts = []
        at = 0
        while at < len(data):
            at = self.parser.feed(data, at)
            counts.append(len(self.requests))
        return counts


def post(path: bytes, body: bytes, *, chunked: bool = False, more: bytes = b"") -> bytes:
    head = b"POST " + path + b" HTTP/1.1\r\nHost: x\r\n" + more
    if not chunked:
        return head + b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
    return head + b"Transfer-Encoding: chunked\r\n\r\n%x;a=b\r\n%b\r\n0\r\n" % (len(body), body)


STREAM = [
    post(b"/1", b"one", more=OFFER),
    GET,
    post(b"/2", b"\r\n\r\n" * 5, more=OFFER, chunked=True) + b"Trailer: y\r\n\r\n",
    post(b"/3", b"\r\n\r\nGET / HTTP/1.1\r\n\r\n"),
    b"\r\n" + GET,
    post(b"/4", b"four", chunked=True) + b"\r\n",
    GET,
]
REQUESTS = [
    (b"/1", b"one"),
    (b"/livez", b""),
    (b"/2", b"\r\n\r\n" * 5),
    (b"/3", b"\r\n\r\nGET / HTTP/1.1\r\n\r\n"),
    (b"/livez", b""),
    (b"/4", b"four"),
    (b"/livez", b""),
]


def test_no_piece_reaches_behind_its_message() -> None:
    recorder = Recorder()
    counts = recorder.feed(b"".join(STREAM))
    assert recorder.requests == REQUESTS
    steps = [after - before for before, after in pairwise(counts)]
    assert max(steps) == 1
    assert not recorder.parser.in_message


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 64])
def test_it_does_not_matter_how_the_bytes_come(size: int) -> None:
    recorder = Recorder()
    stream = b"".join(STREAM)
    for at in range(0, len(stream), size):
        recorder.feed(stream[at : at + size])
    assert recorder.requests == REQUESTS


def test_an_offer_changes_nothing_but_is_not_told() -> None:
    recorder = Recorder()
    recorder.feed(post(b"/1?a=b", b"one", more=OFFER + b"A: b\r\n"))
    assert recorder.requests == [(b"/1?a=b", b"one")]
    assert recorder.headers == [
        (b"host", b"x"),
        (b"connection", b"Upgrade, HTTP2-Settings"),
        (b"http2-settings", b"AAMAAABk"),
        (b"a", b"b"),
        (b"content-length", b"3"),
    ]
    assert recorder.parser.should_keep_alive()


def test_what_a_message_takes_is_counted() -> None:
    parser = Recorder().parser
    parser.feed(CHUNKED[:10], 0)
    assert (parser.in_head, parser.head_bytes) == (True, 10)
    parser.feed(CHUNKED[10:], 0)
    assert (parser.in_head, parser.head_bytes, parser.body_bytes) == (False, len(CHUNKED), 0)
    chunk = b"3;" + b"e" * 50 + b"\r\nabc\r\n"
    parser.feed(chunk, 0)
    assert (parser.body_bytes, parser.content_bytes) == (len(chunk), 3)
    parser.feed(b"0\r\n" + b"a: b\r\n" * 100, 0)
    assert parser.body_bytes == len(chunk) + 603
    parser.feed(b"\r\n", 0)
    assert (parser.in_message, parser.body_bytes) == (False, 0)


def test_neither_trailers_nor_long_heads_are_kept() -> None:
    recorder = Recorder()
    recorder.feed(post(b"/", b"abc", chunked=True) + b"content-type: x\r\n" * 3)
    assert [name for name, _ in recorder.headers] == [b"host", b"transfer-encoding"]
    for more in (b"", OFFER):
        long = Recorder()
        long.parser.feed(b"GET / HTTP/1.1\r\nHost: x\r\n" + more + b"a: b\r\n" * 200, 0)
        assert long.headers == []
        assert long.parser.head_bytes > MAX_HEAD_BYTES


@pytest.mark.parametrize(
    ("data", "pieces"),
    [
        (b"\r\n\r\n" * 100 + GET, 1),
        (post(b"/", b"\r\n\r\n" * 100_000, chunked=True) + b"\r\n", 2),
        (CHUNKED + b"4\r\n\r\n\r\n\r\n" * 10_000 + b"0\r\n\r\n", 2),
    ],
)
def test_empty_lines_are_no_work(data: bytes, pieces: int) -> None:
    recorder = Recorder()
    assert len(recorder.feed(data)) == pieces
    assert len(recorder.requests) == 1


def test_a_disagreement_on_the_end_of_a_message_is_an_error() -> None:
    # The first line is a whole request of HTTP/0.9, which ends without an empty line.
    with pytest.raises(httptools.HttpParserError):
        Recorder().feed(b"GET /livez\r\n" + GET)
