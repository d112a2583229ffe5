"""uvicorn's HTTP/1.1 protocol with the bounds it lacks."""

import asyncio
from collections.abc import Callable
from typing import ClassVar

import httptools
from starlette.types import Scope

from app.transport.http.connection_limit import ConnectionLimit
from app.transport.http.direct_requests import DirectRequest
from app.transport.http.early_answers import WireAnswer
from app.transport.http.refusing_protocol import RefusingProtocol
from app.transport.http.request_head import RefusedHead, body_length

PROBES = (b"/livez", b"/readyz", b"/startupz", b"/metrics")
"""What is answered when there is no connection left, and on the operations port."""

_ALL_ARE_TAKEN = "as many connections are open as one address, or all together, may have"
_MADE_WAY = "another connection took its place"

# Longer ones httptools parses as heads, and refuses as URLs.
_MAX_TARGET_BYTES = 2**16 - 1

CLIENT_LEFT = "client_left"
"""Under this name the state of a request's scope may hold what to call when its client leaves."""


class BoundedHttpProtocol(RefusingProtocol):
    """Bounds what a client can make a connection hold, in bytes and in time.

    Refused are connections over a limit, heads that are too long or too slow, heads that break
    the rules of HTTP (see `app.transport.http.request_head`), and bodies that are mostly
    framing. A client that does not read its answer is left. A refusal ends the connection.

    Subclass it with the limits set, those of its bases as well: uvicorn makes its protocols
    itself.

    Attributes:
        connection_limit: counts the open connections; those over it are for probes alone.
        is_for_probes: whether all connections are.
        max_head_bytes: request line and headers; longer ones get 431. What frames a body (sizes
            and extensions of chunks, trailers) may take as much, and as much as its content.
        max_fields: header fields of a request.
        head_timeout_seconds: from the first byte (or, on a new connection, from its opening) to
            the end of the head; slower ones get 408. A TLS handshake may take as much.
        address: of the client; "" if it has none.
    """

    connection_limit: ClassVar[ConnectionLimit]
    is_for_probes: ClassVar[bool]
    max_fields: ClassVar[int]
    head_timeout_seconds: ClassVar[float]
    address = ""
    _is_within_limit: bool | None = None
    _end_handshake: Callable[[], object] | None = None
    _head_deadline: asyncio.TimerHandle | None = None

    def begin_handshake(self, address: str, end: Callable[[], object]) -> None:
        """Counts the connection before it is made, while its TLS handshake goes on.

        Args:
            address: the client's.
            end: ends the handshake.
        """
        self.address = address
        self._end_handshake = end
        self._is_within_limit = self.connection_limit.open(self, address)

    def fail_handshake(self, reason: str) -> None:
        """The connection is not made after all."""
        self.connection_limit.close(self)
        self.note_refusal(None, "tls_handshake", reason)

    def connection_made(  # type: ignore[override]  # uvicorn narrows the transport as well
        self, transport: asyncio.Transport
    ) -> None:
        """Counts the connection, and starts the clock for the first head."""
        super().connection_made(transport)
        if self._is_within_limit is None:
            self.address = self.client[0] if self.client else ""
            self._is_within_limit = self.connection_limit.open(self, self.address)
        self._end_handshake = None
        self._start_clock()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stops the clock."""
        self._stop_clock()
        self.connection_limit.close(self)
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete:
            cycle.scope["state"].get(CLIENT_LEFT, _nothing)()
        super().connection_lost(exc)

    def make_way(self) -> None:
        """Ends the connection for another one."""
        if self._end_handshake is not None:
            self.note_refusal(None, "tls_handshake", _MADE_WAY)
            self._end_handshake()
        elif self._is_within_limit and not self.parser.in_message:
            self.note_refusal(None, "idle", _MADE_WAY)
            self.transport.abort()
        else:
            self.refuse_at_once(503, "too_many_connections", _ALL_ARE_TAKEN)

    def resume_writing(self) -> None:
        """The client has an answer."""
        super().resume_writing()
        self.note_answered()

    def pause_writing(self) -> None:
        """The client has not taken all of an answer yet."""
        super().pause_writing()
        self.connection_limit.set_busy(self)

    def bound_message(self) -> None:
        """Refuses a head that is too long, and a body that is mostly framing."""
        parser = self.parser
        if parser.in_head:
            if parser.head_bytes > self.max_head_bytes:
                most = self.max_head_bytes
                self.refuse(431, "head_too_large", f"at most {most} bytes of head are accepted")
        elif parser.body_bytes - 2 * parser.content_bytes > self.max_head_bytes:
            self.refuse(
                400,
                "malformed_request",
                "the chunk sizes, chunk extensions and trailers of the body take more than it"
                f" holds and {self.max_head_bytes} bytes",
            )

    def on_headers_complete(self) -> None:
        """A head is complete; it starts a request if nothing is wrong with it."""
        self._stop_clock()
        if len(self.headers) > self.max_fields:
            self.refuse(431, "head_too_large", f"at most {self.max_fields} headers are accepted")
            return
        if len(self.url) > _MAX_TARGET_BYTES:
            most = _MAX_TARGET_BYTES
            self.refuse(
                431, "head_too_large", f"at most {most} bytes of request target are accepted"
            )
            return
        version = self.parser.get_http_version()
        try:
            length = body_length(self.parser.get_method(), version, self.headers)
        except RefusedHead as error:
            self.refuse(error.status, error.code, str(error))
            return
        self.parser.expect_body(length)
        if not self.url.startswith(b"/"):
            self.url = _path_and_query(self.url)
        if version == "1.0":
            self.expect_100_continue = False  # which came with HTTP/1.1
        if (self.is_for_probes or not self._is_within_limit) and not self._is_probe():
            self._refuse_all_but_probes()
            return
        self.connection_limit.set_busy(self)
        direct = self._take_directly()
        if isinstance(direct, WireAnswer):
            self.answer_early(direct)
            return
        if direct is None:
            super().on_headers_complete()
        else:
            self.begin_direct(direct)
        if not self._is_within_limit:
            self.cycle.keep_alive = False

    def take_directly(self, scope: Scope) -> WireAnswer | DirectRequest | None:
        """Decides about a request by its head; to be overridden.

        Args:
            scope: with `method`, `raw_path`, `query_string`, `headers`, `client` and `state`.

        Returns:
            Its answer, or what will answer it once its body is in; None if it is for the
            application.
        """
        return None

    def stop_reading(self) -> None:
        """Ignores from now on what the client sends."""
        super().stop_reading()
        self._stop_clock()

    def _end_with(self, refusal: bytes) -> None:
        super()._end_with(refusal)
        self.connection_limit.set_idle(self)

    def _read_on(self) -> None:
        super()._read_on()
        is_waiting = self.parser is not None and self.parser.in_head and not self._is_over
        if is_waiting and self._head_deadline is None:
            self._start_clock()

    def note_answered(self) -> None:
        """A connection whose requests are answered may make way for another."""
        is_answered = self.cycle is None or self.cycle.response_complete
        if is_answered and not (self.awaits_rest or self.flow.write_paused):
            self.connection_limit.set_idle(self)

    def _is_probe(self) -> bool:
        return (
            self.parser.get_method() in (b"GET", b"HEAD") and self.url.partition(b"?")[0] in PROBES
        )

    def _refuse_all_but_probes(self) -> None:
        if not self._is_within_limit:
            self.refuse(503, "too_many_connections", _ALL_ARE_TAKEN)
        else:
            paths = b", ".join(PROBES).decode()
            self.refuse(404, "not_found", f"this port answers GET {paths} and nothing else")

    def _take_directly(self) -> WireAnswer | DirectRequest | None:
        """Decides about a request, unless an answer is unread or this is its connection's last."""
        if (
            self.flow.write_paused
            or self.expect_100_continue
            or not self.parser.should_keep_alive()
            or b"#" in self.url  # which only a URL's parser takes apart
        ):
            return None
        path, _, query = self.url.partition(b"?")
        return self.take_directly(
            {
                "type": "http", "method": self.parser.get_method().decode("ascii"),
                "raw_path": path, "query_string": query, "headers": self.headers,
                "client": self.client, "state": self.scope["state"],
            }
        )  # fmt: skip

    def _start_clock(self) -> None:
        self._head_deadline = self.loop.call_later(self.head_timeout_seconds, self._too_slow)

    def _stop_clock(self) -> None:
        if self._head_deadline is not None:
            self._head_deadline.cancel()
            self._head_deadline = None

    def _too_slow(self) -> None:
        if self.parser.in_head:
            self.refuse(408, "head_timeout", "the request's head arrived too slowly")
        else:
            self.transport.close()


def _nothing() -> None:
    """Nobody wants to know."""


def _path_and_query(target: bytes) -> bytes:
    """Those of a request target in absolute form, as clients send it to proxies.

    Raises:
        httptools.HttpParserError: if it is not a URL.
    """
    if target == b"*":
        return target
    url = httptools.parse_url(target)
    return (url.path or b"/") + (b"?" + url.query if url.query else b"")
