"""A parser of requests, fed one message at a time: httptools for the heads, the bodies by count."""

import re
from collections.abc import Callable
from typing import Protocol

import httptools

from app.transport.http.chunked_body import ChunkedBody

_EMPTY_LINE = b"\r\n\r\n"
_LINE_BREAKS = re.compile(rb"[\r\n]*")


class Listener(Protocol):
    """What is told of a message.

    Attributes:
        url: the request target, from the calls of `on_url`.
        headers: names in lower case and values, from the calls of `on_header`.
    """

    url: bytes
    headers: list[tuple[bytes, bytes]]

    def on_message_begin(self) -> None:
        """A request line begins."""

    def on_url(self, url: bytes) -> None:
        """A piece of the request target."""

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header field."""

    def on_headers_complete(self) -> None:
        """The head is complete."""

    def on_body(self, body: bytes | memoryview) -> None:
        """A piece of the body."""

    def on_message_complete(self) -> None:
        """The body is complete."""


class RequestParser:
    """Parses requests without running ahead, and without leaving HTTP/1.1.

    httptools parses whatever it is given, to the end: all requests of one read would be in memory,
    hundreds of them, before the first is answered. And to it a request that offers another
    protocol (`Connection: Upgrade`) ends with its head, whatever its Content-Length says; the offer
    is ignored here (RFC 9110, 7.8). So it is given heads, which end with an empty line, and no
    byte more. A body ends after its Content-Length, or as the chunked coding says.

    Args:
        listener: is told of each message, but not of offers and trailers.
        max_head_bytes: longest head that is parsed; as long may be what frames a chunk, and
            trailers.

    Attributes:
        in_message: whether a message has begun and not ended.
        in_head: whether a head has begun and not ended.
        head_bytes: of the message so far, with the empty lines before it; 0 between messages.
        body_bytes: of the body so far, as sent: chunked coding included.
        content_bytes: of the body so far, without it.
    """

    def __init__(self, listener: Listener, *, max_head_bytes: int) -> None:
        self._listener = listener
        self._max_head_bytes = max_head_bytes
        # httptools looks up what it calls when it is made; these need nothing done here.
        self.on_url: Callable[[bytes], None] = listener.on_url
        self.on_header: Callable[[bytes, bytes], None] = listener.on_header
        self._expect_message()
        self._parser = self._new_parser()
        # Whether it waits for a body, which it will not get.
        self._is_spent = False

    def _expect_message(self) -> None:
        self.head_bytes = self.body_bytes = self.content_bytes = 0
        self._content_left = 0
        self._chunks: ChunkedBody | None = None
        self.in_message = self.in_head = self._has_begun = False
        # The last bytes that were fed: an empty line may be split between two reads.
        self._last = b""

    def feed(self, data: bytes, start: int) -> int:
        """Parses a piece of `data`, which ends where the head or the message does, if not before.

        Args:
            data: what has come.
            start: where the piece begins.

        Returns:
            Where the piece ends.

        Raises:
            httptools.HttpParserError: if it is not HTTP.
        """
        if self.in_head or not self.in_message:
            return self._feed_head(data, start)
        if self._chunks is None:
            end = min(start + self._content_left, len(data))
            whole = start == 0 and end == len(data)
            content: bytes | memoryview = data if whole else memoryview(data)[start:end]
            self._content_left -= end - start
            is_complete = not self._content_left
        else:
            content, end = self._chunks.feed(data, start)
            is_complete = self._chunks.is_complete
        self.body_bytes += end - start
        self.content_bytes += len(content)
        if content:
            self._listener.on_body(content)
        if is_complete:
            self._end_message()
        return end

    def expect_body(self, length: int | None) -> None:
        """To be called from `on_headers_complete`.

        Args:
            length: in bytes, 0 if there is no body; None if it comes in chunks.
        """
        self._content_left = length or 0
        if length is None:
            self._chunks = ChunkedBody(max_line_bytes=self._max_head_bytes)

    def should_keep_alive(self) -> bool:
        """Whether another request may follow this one."""
        return self._parser.should_keep_alive()

    def should_upgrade(self) -> bool:
        """Whether the connection leaves HTTP/1.1, which uvicorn asks: never."""
        return False

    def get_method(self) -> bytes:
        """The method of the message."""
        return self._parser.get_method()

    def get_http_version(self) -> str:
        """The version of the message, such as "1.1"."""
        return self._parser.get_http_version()

    def on_message_begin(self) -> None:
        """Called by httptools."""
        if self._has_begun:
            # The two disagree on where a message ends: what follows is not to be trusted.
            raise httptools.HttpParserError("a message begins where none was expected")
        self._has_begun = True
        self._listener.on_message_begin()

    def on_headers_complete(self) -> None:
        """Called by httptools."""
        self.in_head = False
        if self._parser.should_upgrade():
            headers = self._listener.headers
            headers[:] = [field for field in headers if field[0] != b"upgrade"]
        self._listener.on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Called by httptools, if it takes for a body what is a head here."""
        raise httptools.HttpParserError("a body begins where none was expected")

    def _feed_head(self, data: bytes, start: int) -> int:
        self.in_message = self.in_head = True
        begin = start
        if not self._has_begun and data[start] in b"\r\n":
            blank = _LINE_BREAKS.match(data, start)
            begin = start if blank is None else blank.end()
            if begin == len(data):
                self.head_bytes += begin - start
                return begin
        end = self._end_of_head(data, begin)
        self.head_bytes += end - start
        if self.head_bytes > self._max_head_bytes:
            return end
        if self._is_spent:
            self._parser = self._new_parser()
            self._is_spent = False
        try:
            self._parser.feed_data(data[begin:end])
        except httptools.HttpParserUpgrade:
            self._is_spent = True
        if self.in_head == (self._last == b""):
            raise httptools.HttpParserError("the head ends where it was not expected to")
        if not self.in_head:
            if self._content_left or self._chunks is not None:
                self._is_spent = True
            else:
                self._end_message()
        return end

    def _end_of_head(self, data: bytes, start: int) -> int:
        """Where it ends, or the data; what was last is nothing if the end is found."""
        seam = self._last + data[start : start + 3] if self._last else b""
        if (found := seam.find(_EMPTY_LINE)) >= 0:
            end = start + found + len(_EMPTY_LINE) - len(self._last)
        elif (found := data.find(_EMPTY_LINE, start)) >= 0:
            end = found + len(_EMPTY_LINE)
        else:
            self._last = (self._last + data[max(start, len(data) - 3) :])[-3:]
            return len(data)
        self._last = b""
        return end

    def _end_message(self) -> None:
        self._expect_message()
        self._listener.on_message_complete()

    def _new_parser(self) -> httptools.HttpRequestParser:
        parser = httptools.HttpRequestParser(self)
        # As uvicorn has it: what follows a request that ends its connection is ignored, no error.
        parser.set_dangerous_leniencies(lenient_data_after_close=True)
        return parser
