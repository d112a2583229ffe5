"""The parts of a multipart body (RFC 2046, section 5.1).

The parsers at hand refuse much of what that allows senders to write: text before the first
boundary, white space after it, header fields in several lines. And as the whole body is in memory,
finding its boundaries is one search.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from app.contract.errors import MalformedRequest

_LONGEST_BOUNDARY = 256
_LONGEST_HEAD = 8192
# Far more than images and text fields; what only begins like a boundary counts too.
_MOST_LINES = 10_000
_REST_OF_DELIMITER = re.compile(rb"(--)|[ \t]{0,256}(?=\r\n)")
_FOLD = re.compile(rb"\r\n[ \t]+")


@dataclass(frozen=True, slots=True)
class Part:
    """One part.

    Attributes:
        fields: its header fields, by their names in lower case.
        data: its body, not yet decoded; a part of the form's, not a copy of it.
    """

    fields: dict[str, str]
    data: memoryview


def split_parts(chunks: list[bytes], boundary: str) -> Iterator[Part]:
    """Splits a body; what comes before its first and after its last boundary is ignored.

    Args:
        chunks: the body; emptied, for a copy is made of it.
        boundary: as the content type tells it.

    Raises:
        MalformedRequest: if it is not a multipart body.
    """
    if not 0 < len(boundary) <= _LONGEST_BOUNDARY:
        raise MalformedRequest(f"a multipart boundary has 1 to {_LONGEST_BOUNDARY} characters")
    dashes = b"--" + boundary.encode("latin-1")
    body = b"".join([b"\r\n", *chunks])
    chunks.clear()
    line = b"\r\n" + dashes
    start, number, at = None, 0, 0
    for _ in range(_MOST_LINES):
        at = body.find(line, at)
        if at < 0:
            break
        rest = _REST_OF_DELIMITER.match(body, at + len(line))
        if rest:
            if start is not None:
                number += 1
                yield _part(body, start, at, number)
            if rest[1]:
                return
            start = rest.end()
        at += len(line)
    else:
        raise MalformedRequest(f"a multipart body of more than {_MOST_LINES} boundaries")
    if start is not None:
        raise MalformedRequest("the multipart body ends before its closing boundary")
    if b"\n" + dashes in body:
        raise MalformedRequest("the lines of a multipart body must end in CR LF")
    raise MalformedRequest("the boundary that the content type names is not in the body")


def _part(body: bytes, start: int, end: int, number: int) -> Part:
    """The part between two delimiters, the first of which is followed by CR LF."""
    if start == end:
        return Part({}, memoryview(b""))
    blank = body.find(b"\r\n\r\n", start, min(end, start + _LONGEST_HEAD))
    if blank < 0:
        raise MalformedRequest(
            f"part {number} has no empty line after header fields of {_LONGEST_HEAD} bytes at most"
        )
    fields = {}
    for line in _FOLD.sub(b" ", body[start + 2 : blank]).split(b"\r\n"):
        name, colon, value = line.partition(b":")
        if not colon and line:
            raise MalformedRequest(f"part {number} has a header field without a colon")
        fields[name.strip().lower().decode("latin-1")] = _text(value.strip())
    return Part(fields, memoryview(body)[blank + 4 : end])


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")
