"""The rules for heads that httptools does not check."""

import pytest

from app.transport.http.request_head import RefusedHead, body_length

HOST = (b"host", b"localhost")


@pytest.mark.parametrize(
    "host",
    [
        b"",
        b"a.example",
        b"a_b.example:8000",
        b"127.0.0.1:80",
        b"[::1]",
        b"[::1]:80",
        b"a%20b",
        b"a:",
    ],
)
def test_a_host_is_a_name_or_an_address_with_a_port(host: bytes) -> None:
    assert body_length(b"GET", "1.1", [(b"host", host)]) == 0


@pytest.mark.parametrize(
    "host",
    [b"a b", b"a/b", b"user@a", b"a:b", b"a:80:80", b"[::1", b"::1", b"a%2", b"\xc3\xa4", b"a\t"],
)
def test_anything_else_is_malformed(host: bytes) -> None:
    with pytest.raises(RefusedHead, match="Host") as refused:
        body_length(b"GET", "1.1", [(b"host", host + b"x")])
    assert refused.value.status == 400


@pytest.mark.parametrize(
    ("version", "hosts", "is_served"),
    [("1.1", 1, True), ("1.1", 0, False), ("1.1", 2, False), ("1.0", 0, True), ("1.0", 2, False)],
)
def test_a_request_has_one_host_header(version: str, hosts: int, is_served: bool) -> None:
    headers = [HOST] * hosts
    if is_served:
        assert body_length(b"GET", version, headers) == 0
        return
    with pytest.raises(RefusedHead, match=f"has {hosts}"):
        body_length(b"GET", version, headers)


@pytest.mark.parametrize(
    ("method", "version", "headers", "status"),
    [
        (b"CONNECT", "1.1", [HOST], 501),
        (b"GET", "2.0", [HOST], 505),
        (b"GET", "0.9", [], 505),
        (b"POST", "1.1", [HOST, (b"transfer-encoding", b"gzip, chunked")], 501),
    ],
)
def test_what_is_not_served(
    method: bytes, version: str, headers: list[tuple[bytes, bytes]], status: int
) -> None:
    with pytest.raises(RefusedHead) as refused:
        body_length(method, version, headers)
    assert refused.value.status == status


def test_the_length_of_the_body() -> None:
    assert body_length(b"POST", "1.1", [HOST, (b"content-length", b"17 ")]) == 17
    assert body_length(b"POST", "1.1", [HOST, (b"transfer-encoding", b"Chunked")]) is None


@pytest.mark.parametrize(
    "headers",
    [
        [(b"content-length", b"3"), (b"content-length", b"3")],
        [(b"content-length", b"3"), (b"transfer-encoding", b"chunked")],
        [(b"transfer-encoding", b"chunked"), (b"transfer-encoding", b"chunked")],
    ],
)
def test_a_body_has_one_length(headers: list[tuple[bytes, bytes]]) -> None:
    with pytest.raises(RefusedHead, match="how long") as refused:
        body_length(b"POST", "1.1", [HOST, *headers])
    assert refused.value.status == 400
