"""httptools' request parser, fed one message at a time."""

from collections.abc import Callable
from typing import Protocol

import httptools

_EMPTY_LINE = b"\r\n\r\n"


class Listener(Protocol):
    """What is told of a message, as httptools tells it.

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

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""

    def on_message_complete(self) -> None:
        """The body is complete."""


class RequestParser:
    """Parses requests without running ahead, and without leaving HTTP/1.1.

    httptools parses whatever it is given, to the end: all requests of one read would be in memory,
    hundreds of them, before the first is answered. So it is given no byte behind the message that
    it is in. A message ends with an empty line (heads, chunked bodies) or after its Content-Length.

    To httptools a request that offers another protocol (`Connection: Upgrade`) ends with its head,
    whatever its Content-Length says, and what follows is that protocol's or the next request. The
    offer is ignored here (RFC 9110, 7.8): the head is parsed anew without it.

    Args:
        listener: is told of each message, but not of trailers.
        max_fields: most header fields of a head that the listener is told of.

    Attributes:
        head_bytes: of the message so far; 0 between messages.
        body_bytes: of the body so far, as sent: chunked coding included.
        content_bytes: of the body so far, without it.
        fields: how many header fields the head has; with too many of them, or for CONNECT, nothing
            is right about the connection after the head.
    """

    def __init__(self, listener: Listener, *, max_fields: int) -> None:
        self._listener = listener
        self._max_fields = max_fields
        # httptools looks up what it calls when it is made; these need nothing done here.
        self.on_url: Callable[[bytes], None] = listener.on_url
        self._parser = self._new_parser()
        # The last bytes that were fed: an empty line may be split between two reads.
        self._last = b""
        self._content_left = 0
        self._expect_message()

    @property
    def in_message(self) -> bool:
        """Whether a message has begun and not ended."""
        return self.head_bytes > 0

    @property
    def in_head(self) -> bool:
        """Whether a head has begun and not ended."""
        return self._in_head and self.head_bytes > 0

    def feed(self, data: bytes, start: int) -> int:
        """Parses a piece of `data`, which ends where the message does, if not before.

        Args:
            data: what has come.
            start: where the piece begins.

        Returns:
            Where the piece ends.

        Raises:
            httptools.HttpParserError: if it is no HTTP.
        """
        end = self._end_of_piece(data, start)
        self._has_ended = False
        if self._in_head:
            self.head_bytes += end - start
        else:
            self.body_bytes += end - start
            self._content_left = max(0, self._content_left - (end - start))
        whole = start == 0 and end == len(data)
        try:
            self._parser.feed_data(data if whole else memoryview(data)[start:end])
        except httptools.HttpParserUpgrade:
            if self._in_head:
                self._parse_without_offer()
        return end

    def expect_content(self, length: int) -> None:
        """To be called from `on_headers_complete` with the Content-Length; 0 if there is none."""
        self._content_left = length

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
        if self._has_ended:
            # The two disagree on where a message ends: what follows is not to be trusted.
            raise httptools.HttpParserError("a message begins where none was expected")
        self._listener.on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Called by httptools, for trailers as well."""
        if self._in_head:
            self.fields += 1
            if self.fields <= self._max_fields:
                self._listener.on_header(name, value)

    def on_headers_complete(self) -> None:
        """Called by httptools."""
        is_offer = self._parser.should_upgrade() and self.get_method() != b"CONNECT"
        if is_offer and self.fields <= self._max_fields:
            return  # it is told when it is parsed anew
        self._in_head = False
        self._listener.on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Called by httptools."""
        self.content_bytes += len(body)
        self._listener.on_body(body)

    def on_message_complete(self) -> None:
        """Called by httptools."""
        if not self._in_head:
            self._expect_message()
            self._has_ended = True
            self._listener.on_message_complete()

    def _expect_message(self) -> None:
        self.head_bytes = self.body_bytes = self.content_bytes = self.fields = 0
        self._content_left = 0
        self._in_head = True
        self._has_ended = False

    def _end_of_piece(self, data: bytes, start: int) -> int:
        if self._content_left:
            return min(start + self._content_left, len(data))
        seam = self._last + data[start : start + 3]
        if (found := seam.find(_EMPTY_LINE)) >= 0:
            end = start + found + len(_EMPTY_LINE) - len(self._last)
        elif (found := data.find(_EMPTY_LINE, start)) >= 0:
            end = found + len(_EMPTY_LINE)
        else:
            self._last = (self._last + data[max(start, len(data) - 3) :])[-3:]
            return len(data)
        self._last = b""
        return end

    def _parse_without_offer(self) -> None:
        fields = self._listener.headers
        lines = [
            b"%b %b HTTP/%b"
            % (self.get_method(), self._listener.url, self.get_http_version().encode()),
            *(b"%b: %b" % field for field in fields if field[0] != b"upgrade"),
        ]
        self.fields = 0
        self._parser = self._new_parser()
        self._parser.feed_data(b"\r\n".join(lines) + _EMPTY_LINE)

    def _new_parser(self) -> httptools.HttpRequestParser:
        parser = httptools.HttpRequestParser(self)
        # As uvicorn has it: what follows a request that ends its connection is ignored, no error.
        parser.set_dangerous_leniencies(lenient_data_after_close=True)
        return parser
