"""A light HTTP/1.1 client on asyncio.

It does little enough to load a service without being the bottleneck, and is free to be as rude as
the chaos run needs.
"""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# No answer at all within this is a failure of the service, whatever its own deadlines.
_GIVE_UP_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Answer:
    """One response.

    Attributes:
        status: of HTTP.
        headers: with lower-case names.
        body: as it came.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:  # noqa: ANN401 - whatever the service says
        """The body, parsed."""
        return json.loads(self.body)


def head(path: str, length: int, headers: Mapping[str, str], method: str = "POST") -> bytes:
    """The request line and headers of a request with a body of `length` bytes."""
    lines = [f"{method} {path} HTTP/1.1", "host: 127.0.0.1", f"content-length: {length}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode()


class Connection:
    """One keep-alive connection. Not for two requests at once.

    Args:
        port: of 127.0.0.1.
        address: where it comes from; another one makes it another caller's.
    """

    def __init__(self, port: int, address: str = "127.0.0.1") -> None:
        self._port = port
        self._address = address
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    @property
    def ended(self) -> bool:
        """Whether the server has closed it."""
        return self._reader is not None and self._reader.at_eof()

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
            async with asyncio.timeout(_GIVE_UP_SECONDS):
                await self.send(head(path, len(body), headers or {}, method) + body)
                return await self.read_answer()
        except BaseException:
            self.close()
            raise

    async def send(self, data: bytes) -> None:
        """Sends bytes, after connecting if need be: anew if the server has closed meanwhile."""
        if self.ended:
            self.close()
        if self._writer is None:
            self._reader, self._writer = await asyncio.open_connection(
                "127.0.0.1", self._port, local_addr=(self._address, 0)
            )
            if self._writer.get_extra_info("sockname") == self._writer.get_extra_info("peername"):
                # Nobody listens yet, and TCP connected the socket, whose own port it is, to itself.
                self.close()
                raise ConnectionRefusedError("nobody listens")
        self._writer.write(data)
        await self._writer.drain()

    async def read_answer(self) -> Answer:
        """Reads one answer with a Content-Length.

        Raises:
            ConnectionError: if there is none.
        """
        if self._reader is None:
            raise ConnectionError("nothing has been sent")
        try:
            first, *lines = (await self._reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            pairs = (line.partition(":") for line in lines if line)
            headers = {name.lower(): value.strip() for name, _, value in pairs}
            body = await self._reader.readexactly(int(headers.get("content-length", 0)))
        except asyncio.IncompleteReadError as error:
            raise ConnectionError("the connection ended before the answer") from error
        if headers.get("connection") == "close":
            self.close()
        return Answer(int(first.split()[1]), headers, body)

    def close(self) -> None:
        """Closes the connection; the next request opens another."""
        if self._writer is not None:
            self._writer.close()
        self._reader = self._writer = None
