"""Chunked bodies: what passes here means the same to httptools, and nothing else passes."""

from collections.abc import Sequence
from itertools import pairwise

import httptools
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.transport.http.chunked_body import ChunkedBody

MAX_LINE_BYTES = 1000
HEAD = b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
NEXT = b"GET / HTTP/1.1"
ALPHABET = [
    b"\r\n", b"\r", b"\n", b"0", b"1", b"5", b"a", b"F", b"g", b";", b"=", b":", b" ", b"\t",
    b"\x00", b"\xff", b"0\r\n", b"\r\n0\r\n\r\n", b"3\r\nabc\r\n", b"x: y\r\n",
    b"+", b"-", b"0x", b"_",
]  # fmt: skip


def read(data: bytes, cuts: Sequence[int] = ()) -> tuple[bytes, bytes] | None:
    """Content and what follows the body; None if its end has not come."""
    body = ChunkedBody(max_line_bytes=MAX_LINE_BYTES)
    content = b""
    bounds = [0, *sorted(cut for cut in cuts if cut < len(data)), len(data)]
    for begin, end in pairwise(bounds):
        # As the protocol has it: the body goes on within what has been read.
        part, at = body.feed(b"##" + data[begin:end], 2)
        content += part
        if body.is_complete:
            return content, data[begin + at - 2 :]
    return None


class Peer:
    """What httptools makes of the same."""

    def __init__(self) -> None:
        self.content = b""
        self.is_complete = False

    def on_body(self, body: bytes) -> None:
        self.content += body

    def on_message_complete(self) -> None:
        self.is_complete = True


def chunk(content: bytes, extension: bytes = b"") -> bytes:
    return b"%x%b\r\n%b\r\n" % (len(content), extension, content)


def test_content_comes_out_and_the_next_message_stays() -> None:
    data = chunk(b"one") + chunk(b"\r\n\r\n" * 9, b' ; a="b"') + b"000\r\nx: y\r\nz:\r\n\r\n" + NEXT
    expected = (b"one" + b"\r\n\r\n" * 9, NEXT)
    assert read(data) == expected
    for cut in range(1, len(data)):
        assert read(data, [cut]) == expected
    assert read(data, range(1, len(data))) == expected


@pytest.mark.parametrize(
    "data", [b"5", b"5;a", b"5\r", b"3\r\nab", b"3\r\nabc\r", b"0\r\na: b\r\n"]
)
def test_what_is_no_whole_body_waits(data: bytes) -> None:
    assert read(data) is None


@pytest.mark.parametrize(
    "data",
    [
        b"\r\n3\r\nabc\r\n0\r\n\r\n",
        b"0x3\r\nabc\r\n",
        b"+3\r\nabc\r\n",
        b"-3\r\nabc\r\n",
        b"1_0\r\nabc\r\n",
        b" 3\r\nabc\r\n",
        b"3 \r\nabc\r\n",
        b"3\nabc\r\n",
        b"3;a\nb\r\nabc\r\n",
        b"3;a\rb\r\nabc\r\n",
        b"3;\x00\r\nabc\r\n",
        b";\r\n",
        b"\xb2\r\n",
        b"fffffffffffffffff\r\n",
        b"3\r\nabcd\r\n",
        b"3\r\nabc0\r\n\r\n",
        b"3\r\nabc\n0\r\n\r\n",
        b"0\r\nno trailer\r\n\r\n",
        b"0\r\na : b\r\n\r\n",
        b"0\r\na: b\nc: d\r\n\r\n",
        b"0\r\n a: b\r\n\r\n",
        b"0\r\n: b\r\n\r\n",
        b"5;" + b"a" * MAX_LINE_BYTES,
        b"0\r\n" + b"a: b\r\n" * MAX_LINE_BYTES,
    ],
)
def test_what_is_no_chunked_body_is_refused(data: bytes) -> None:
    with pytest.raises(httptools.HttpParserError):
        read(data)
    with pytest.raises(httptools.HttpParserError):
        read(data, range(1, len(data)))


@given(st.lists(st.sampled_from(ALPHABET), max_size=20), st.lists(st.integers(1, 60), max_size=4))
def test_what_passes_means_the_same_to_httptools(parts: list[bytes], cuts: list[int]) -> None:
    data = b"".join(parts)
    try:
        whole, cut = (read(data, where) if data else None for where in ((), cuts))
    except httptools.HttpParserError:
        return
    assert (whole is None) == (cut is None)
    if whole is None or cut is None:
        return
    assert whole[0] == cut[0]
    peer = Peer()
    parser = httptools.HttpRequestParser(peer)
    content, rest = whole
    parser.feed_data(HEAD + data[: len(data) - len(rest)])
    assert peer.is_complete
    assert peer.content == content
