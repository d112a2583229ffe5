"""The chunked transfer coding (RFC 9112, 7.1)."""

import re

import httptools

_EXTENSION = rb"(?:[ \t]*;[^\x00-\x08\x0a-\x1f\x7f]*+)?"
_FIRST_SIZE = re.compile(rb"([0-9A-Fa-f]{1,16})" + _EXTENSION + rb"\r\n")
_NEXT_SIZE = re.compile(rb"\r\n([0-9A-Fa-f]{1,16})" + _EXTENSION + rb"\r\n")
_TRAILERS = re.compile(
    rb"(?:[!#$%&'*+.^_`|~0-9A-Za-z-]++:[^\x00-\x08\x0a-\x1f\x7f]*+\r\n)*+\r\n"
)  # fmt: skip
_LITTLE = 2048


class ChunkedBody:
    """Takes the content out of a chunked body, and finds its end; extensions and trailers are lost.

    What is not a chunked body by the letter is refused: whoever reads it in another way would see
    another request behind it.

    Args:
        max_line_bytes: longest size with its extensions, and longest trailers, that wait for their
            end to come.

    Attributes:
        is_complete: whether its end has come.
    """

    def __init__(self, *, max_line_bytes: int) -> None:
        self.is_complete = False
        self._max_line_bytes = max_line_bytes
        self._line = _FIRST_SIZE
        self._content_left = 0
        # The beginning of a line, or of the trailers, whose end has not come.
        self._unread = b""

    def feed(self, data: bytes, start: int) -> tuple[bytes | memoryview, int]:
        """Reads on.

        Args:
            data: what has come.
            start: where the body goes on.

        Returns:
            The content that has come, and where the body ends in `data`, or all of `data`.

        Raises:
            httptools.HttpParserError: if it is not a chunked body.
        """
        pieces: list[bytes | memoryview] = []
        known = len(self._unread)
        whole = self._unread + data[start:] if known else data
        self._unread = b""
        view = memoryview(whole)
        at, end, left, line = 0 if known else start, len(whole), self._content_left, self._line
        while at < end:
            if left:
                # Much is not copied; little is copied faster than a view of it is made.
                pieces.append((whole if left < _LITTLE else view)[at : at + left])
                at += left
                left = at - end if at > end else 0
            elif (found := line.match(whole, at)) is None:
                self._check_unfinished(whole, at)
                self._unread = whole[at:]
                break
            elif line is _TRAILERS:
                self.is_complete = True
                end = found.end()
                break
            else:
                at = found.end()
                left = int(found[1], 16)
                line = _NEXT_SIZE if left else _TRAILERS
                self._line = line
        self._content_left = left
        content = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        return content, end - known + start if known else end

    def _check_unfinished(self, data: bytes, at: int) -> None:
        """Refuses what cannot become a line, or trailers, whatever comes."""
        if self._line is _TRAILERS:
            is_finished = data.startswith(b"\r\n", at) or data.find(b"\n\r\n", at) >= 0
        elif self._line is _NEXT_SIZE:
            is_finished = not b"\r\n".startswith(data[at : at + 2]) or data.find(b"\n", at + 2) >= 0
        else:
            is_finished = data.find(b"\n", at) >= 0
        if is_finished or len(data) - at > self._max_line_bytes:
            raise httptools.HttpParserError("the chunked coding of the body is malformed")
