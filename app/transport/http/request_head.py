"""What RFC 9112 demands of a request's head beyond its syntax."""

import re
from collections.abc import Sequence
from functools import lru_cache
from http import HTTPStatus

# RFC 3986, 3.2.2 and 3.2.3: a name, an IPv4 address or a bracketed IPv6 one, and a port.
_HOST = re.compile(rb"(?:\[[0-9A-Fa-f:.]+\]|(?:[\w.~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*)(?::[0-9]*)?")
_SERVED_VERSIONS = frozenset(("1.0", "1.1"))
_HOSTS = "a request has exactly one Host header, this one has %d"
_LENGTHS = "a request says once how long its body is"


class RefusedHead(Exception):
    """A head that no request comes of. The message is one sentence for the client.

    Args:
        status: the HTTP status code.
        code: stable name for clients.
        detail: what is wrong.
    """

    def __init__(self, status: HTTPStatus, code: str, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code


def body_length(method: bytes, version: str, headers: Sequence[tuple[bytes, bytes]]) -> int | None:
    """Checks a head that httptools has accepted.

    Args:
        method: of the request.
        version: of HTTP, such as "1.1".
        headers: names in lower case, and values.

    Returns:
        The Content-Length, 0 if there is none; None if the body comes in chunks.

    Raises:
        RefusedHead: if it asks for what is not served, or does not name exactly one host.
    """
    if method == b"CONNECT":
        raise RefusedHead(
            HTTPStatus.NOT_IMPLEMENTED, "not_implemented", "this server is not a proxy"
        )
    if version not in _SERVED_VERSIONS:
        raise RefusedHead(
            HTTPStatus.HTTP_VERSION_NOT_SUPPORTED,
            "http_version_not_supported",
            "HTTP/1.1 and HTTP/1.0 are served",
        )
    fields = dict(headers)
    if len(fields) < len(headers):
        _check_repeated([name for name, _ in headers])
    host = fields.get(b"host")
    if host is None and version != "1.0":
        raise _malformed(_HOSTS % 0)
    if host is not None and not _is_host(host):
        raise _malformed("the Host header is not a host name or address with an optional port")
    length, coding = fields.get(b"content-length"), fields.get(b"transfer-encoding")
    if coding is None:
        return int(length or 0)
    if coding.strip().lower() != b"chunked":
        raise RefusedHead(
            HTTPStatus.NOT_IMPLEMENTED,
            "not_implemented",
            "chunked is the only transfer coding that is supported",
        )
    if length is not None:
        raise _malformed(_LENGTHS)
    return None


@lru_cache(maxsize=64)  # the clients of a service call it by few names
def _is_host(value: bytes) -> bool:
    return _HOST.fullmatch(value.strip()) is not None


def _check_repeated(names: Sequence[bytes]) -> None:
    if (hosts := names.count(b"host")) > 1:
        raise _malformed(_HOSTS % hosts)
    if names.count(b"content-length") > 1 or names.count(b"transfer-encoding") > 1:
        raise _malformed(_LENGTHS)


def _malformed(detail: str) -> RefusedHead:
    return RefusedHead(HTTPStatus.BAD_REQUEST, "malformed_request", detail)
