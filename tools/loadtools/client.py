"""A light HTTP/1.1 client on asyncio.

It does little enough to load a service without being the bottleneck, and is free to be as rude as
the chaos run needs.
"""

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

_HOST = "127.0.0.1"
# No answer at all within this is a failure of the service, whatever its own deadlines.
GIVE_UP_SECONDS = 60.0
_END = b"\r\n\r\n"
_LINE_END = b"\r\n"
_LENGTH = b"\r\ncontent-length:"
_CLOSE = b"\r\nconnection: close\r\n"
_STATUS = slice(9, 12)  # of "HTTP/1.1 200 OK"


@dataclass(frozen=True, slots=True)
class Answer:
    """One response; its headers are parsed only for those who ask.

    Attributes:
        head: status line and headers, as they came.
        body: likewise.
    """

    head: bytes
    body: bytes

    @property
    def status(self) -> int:
        """The HTTP status code."""
        return int(self.head[_STATUS])

    @property
    def headers(self) -> Mapping[str, str]:
        """With lower-case names."""
        pairs = (line.partition(":") for line in self.head.decode().split("\r\n")[1:])
        return {name.lower(): value.strip() for name, _, value in pairs}

    def json(self) -> Any:  # noqa: ANN401 - whatever the service says
        """The body, parsed."""
        return json.loads(self.body)


def head(path: str, length: int, headers: Mapping[str, str], method: str = "POST") -> bytes:
    """The request line and headers of a request with a body of `length` bytes."""
    lines = [f"{method} {path} HTTP/1.1", f"host: {_HOST}", f"content-length: {length}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode()


class Wire(asyncio.Protocol):
    """An open connection: bytes go out, whole answers come in, one request at a time.

    The service under load shares its cores with whoever loads it, so there are no tasks and no
    streams here.
    """

    def __init__(self) -> None:
        self._transport: asyncio.Transport
        self._received = b""
        self._on_answer: Callable[[Answer | None], None] | None = None
        self._lost = False

    @classmethod
    async def connect(cls, port: int, address: str | None = None) -> "Wire":
        """Opens a connection.

        Args:
            port: of 127.0.0.1.
            address: where it comes from; another one makes it another caller's.

        Raises:
            OSError: if nobody listens.
        """
        local = None if address is None else (address, 0)
        loop = asyncio.get_running_loop()
        _, wire = await loop.create_connection(cls, _HOST, port, local_addr=local)
        ends = (wire._transport.get_extra_info(end) for end in ("sockname", "peername"))
        if len(set(ends)) == 1:
            # Nobody listens yet, and TCP connected the socket, whose own port it is, to itself.
            wire.close()
            raise ConnectionRefusedError("nobody listens")
        return wire

    @property
    def is_open(self) -> bool:
        """Whether another request can be sent."""
        return not self._transport.is_closing()

    def send(self, data: bytes) -> None:
        """Sends bytes; what the system does not take at once is kept until it does."""
        self._transport.write(data)

    def expect(self, on_answer: Callable[[Answer | None], None]) -> None:
        """Has the next answer, or None if the connection ends before it, told once."""
        self._on_answer = on_answer
        self._tell()

    def close(self) -> None:
        """Closes the connection."""
        self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        self._received += data
        self._tell()

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        self._lost = True
        self._tell()

    def _tell(self) -> None:
        if self._on_answer is None:
            return
        answer = self._take()
        if answer is not None or self._lost:
            on_answer, self._on_answer = self._on_answer, None
            on_answer(answer)

    def _take(self) -> Answer | None:
        """The first answer received, if it is whole."""
        first, end, rest = self._received.partition(_END)
        if not end:
            return None
        lines = first.lower() + _LINE_END
        start = lines.find(_LENGTH)
        length = 0
        if start >= 0:
            start += len(_LENGTH)
            length = int(lines[start : lines.index(_LINE_END, start)])
        if len(rest) < length:
            return None
        self._received = rest[length:]
        if _CLOSE in lines:
            self._transport.close()
        return Answer(first, rest[:length])


class Connection:
    """One keep-alive connection, which is opened anew when need be. Not for two requests at once.

    Args:
        port: of 127.0.0.1.
        address: see `Wire.connect`.
    """

    def __init__(self, port: int, address: str | None = None) -> None:
        self._port = port
        self._address = address
        self._wire: Wire | None = None

    @property
    def ended(self) -> bool:
        """Whether the server has closed it."""
        return self._wire is not None and not self._wire.is_open

    async def request(
        self, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None,
        method: str = "POST",
    ) -> Answer:  # fmt: skip
        """Sends a request and reads its answer.

        Raises:
            OSError: if the connection breaks, which leaves it closed.
            TimeoutError: if there is no answer for a long time.
        """
        try:
            async with asyncio.timeout(GIVE_UP_SECONDS):
                await self.send(head(path, len(body), headers or {}, method) + body)
                return await self.read_answer()
        except BaseException:
            self.close()
            raise

    async def send(self, data: bytes) -> None:
        """Sends bytes, after connecting if need be: anew if the server has closed meanwhile."""
        if self._wire is None or self.ended:
            self._wire = await Wire.connect(self._port, self._address)
        self._wire.send(data)

    async def read_answer(self) -> Answer:
        """Reads one answer with a Content-Length.

        Raises:
            ConnectionError: if there is none.
        """
        if self._wire is None:
            raise ConnectionError("nothing has been sent")
        arrived: asyncio.Future[Answer | None] = asyncio.get_running_loop().create_future()

        def on_answer(answer: Answer | None) -> None:
            if not arrived.done():  # nobody waits any more
                arrived.set_result(answer)

        self._wire.expect(on_answer)
        answer = await arrived
        if answer is None:
            raise ConnectionError("the connection ended before the answer")
        return answer

    def close(self) -> None:
        """Closes the connection; the next request opens another."""
        if self._wire is not None:
            self._wire.close()
        self._wire = None
