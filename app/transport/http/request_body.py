"""A request's body: how much it may be, how slowly it may come, and what memory it takes."""

import asyncio
from collections.abc import Mapping
from typing import Protocol

from starlette.requests import ClientDisconnect
from starlette.types import Receive

from app.contract.errors import BodyTooLarge
from app.inference.visit import Visit
from app.pace import Pace
from app.settings import MEMORY_PER_BODY_BYTE
from app.transport.http.body_pieces import add_piece

COPIES = 2
"""How often a body is in memory while it is put together from its pieces, and an image while its
decoder is given what was checked of it."""


def declared_length(headers: Mapping[bytes, bytes]) -> int:
    """The length that a head declares, in bytes; 0 if it declares none.

    Args:
        headers: the protocol has checked Content-Length.
    """
    return int(headers.get(b"content-length", b"0"))


def expected_memory(headers: Mapping[bytes, bytes], length: int) -> int:
    """The bytes that reading a body of this length takes at most.

    Args:
        headers: with the body's type.
        length: in bytes.
    """
    is_json = headers.get(b"content-type", b"").lstrip().lower().startswith(b"application/json")
    return length * (MEMORY_PER_BODY_BYTE if is_json else COPIES)


class Body(Protocol):
    """A request's body; it can be had once."""

    async def pieces(self) -> list[bytes]:
        """As they came."""
        ...

    async def read(self) -> bytes:
        """The whole."""
        ...

    def hold_decoding(self) -> None:
        """Charges the request with what decoding base64 in the body takes as well.

        Raises:
            Overloaded: if there is no memory for it.
        """
        ...


class ReceivedBody:
    """A body that has come; see `Body`.

    Args:
        pieces: of the body.
        visit: the request's.
    """

    def __init__(self, pieces: list[bytes], visit: Visit) -> None:
        self._pieces = pieces
        self._size = sum(map(len, pieces))
        self._visit = visit

    async def pieces(self) -> list[bytes]:
        """See `Body`."""
        pieces, self._pieces = self._pieces, []
        return pieces

    async def read(self) -> bytes:
        """See `Body`."""
        pieces = await self.pieces()
        whole = b"".join(pieces)
        pieces.clear()  # whoever gave them may still have the list
        return whole

    def hold_decoding(self) -> None:
        """See `Body`."""
        self._visit.hold(MEMORY_PER_BODY_BYTE * self._size)


class RequestBody:
    """Reads a body as ASGI brings it, within its bounds; see `Body`.

    Args:
        receive: of the ASGI connection.
        headers: of the request.
        visit: is charged with what the body takes. What its head declares has been charged.
        max_bytes: largest body.
        pace: how slowly it may come, from now on.
    """

    def __init__(
        self,
        receive: Receive,
        headers: Mapping[bytes, bytes],
        visit: Visit,
        *,
        max_bytes: int,
        pace: Pace,
    ) -> None:
        self._receive = receive
        self._headers = headers
        self._visit = visit
        self._max_bytes = max_bytes
        self._pace = pace
        self._began = asyncio.get_running_loop().time()
        self._declared = declared_length(headers)
        self.received = 0

    async def pieces(self) -> list[bytes]:
        """See `Body`.

        Raises:
            BodyTooLarge: if it is larger than the limit.
            BodyTimeout: if it comes too slowly.
            Overloaded: if there is no memory for more of it.
            ClientDisconnect: if the client leaves before its end.
        """
        pieces: list[bytes] = []
        is_complete = False
        while not is_complete:
            try:
                async with asyncio.timeout_at(self._began + self._pace.seconds(self.received)):
                    message = await self._receive()
            except TimeoutError:
                raise self._pace.too_slow(self.received) from None
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            piece: bytes = message.get("body", b"")
            is_complete = not message.get("more_body", False)
            if piece:
                self._take(len(piece))
                add_piece(pieces, piece)
        return pieces

    async def read(self) -> bytes:
        """See `Body`; raises what `pieces` does."""
        return b"".join(await self.pieces())

    def hold_decoding(self) -> None:
        """See `Body`."""
        self._visit.hold(MEMORY_PER_BODY_BYTE * max(self._declared, self.received))

    def _take(self, size: int) -> None:
        self.received += size
        if self.received > self._max_bytes:
            raise BodyTooLarge(
                f"{self.received} bytes or more; at most {self._max_bytes} are accepted"
            )
        if self.received > self._declared:  # it comes in chunks, whose sum nobody told
            self._visit.hold(expected_memory(self._headers, self.received))
