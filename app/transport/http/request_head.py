"""What RFC 9112 demands of a request's head beyond its syntax."""

import re
from collections.abc import Sequence
from http import HTTPStatus

# RFC 3986, 3.2.2 and 3.2.3: a name, an IPv4 address or a bracketed IPv6 one, and a port.
_HOST = re.compile(rb"(?:\[[0-9A-Fa-f:.]+\]|(?:[\w.~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*)(?::[0-9]*)?")
_SERVED_VERSIONS = frozenset(("1.0", "1.1"))


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
        raise RefusedHead(HTTPStatus.NOT_IMPLEMENTED, "not_implemented", "this is no proxy")
    if version not in _SERVED_VERSIONS:
        raise RefusedHead(
            HTTPStatus.HTTP_VERSION_NOT_SUPPORTED,
            "http_version_not_supported",
            "HTTP/1.1 and HTTP/1.0 are served",
        )
    hosts = []
    lengths = []
    codings = 0
    for name, value in headers:
        if name == b"host":
            hosts.append(value)
        elif name == b"content-length":
            lengths.append(int(value))
        elif name == b"transfer-encoding":
            codings += 1
            if value.strip().lower() != b"chunked":
                raise RefusedHead(
                    HTTPStatus.NOT_IMPLEMENTED,
                    "not_implemented",
                    "chunked is the only transfer coding that is understood",
                )
    if len(hosts) > 1 or (not hosts and version != "1.0"):
        raise _malformed(f"a request has exactly one Host header, this one has {len(hosts)}")
    if hosts and _HOST.fullmatch(hosts[0].strip()) is None:
        raise _malformed("the Host header is no host name or address with an optional port")
    if len(lengths) + codings > 1:
        raise _malformed("a request says once how long its body is")
    return None if codings else sum(lengths)


def _malformed(detail: str) -> RefusedHead:
    return RefusedHead(HTTPStatus.BAD_REQUEST, "malformed_request", detail)
