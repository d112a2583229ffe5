"""Messages as they come in: how many at once, and how long each may take.

The size of a message is known only when it has arrived, and until then the library holds what has
come of it. So each is charged with the largest that is accepted while it comes in. One for which
there is no memory left waits until others have arrived, which takes milliseconds from most clients.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol
from weakref import WeakValueDictionary

from grpc.aio import EOF

from app.contract.errors import BodyTimeout, MalformedRequest, Overloaded
from app.inference.fair_share import FairShare
from app.transport.grpc.calls import Context

_LOOK_SECONDS = 0.01
_SMALL_AT_ONCE = 4
_SMALL_SECONDS = 1.0


class Account(Protocol):
    """What messages are charged to while they come in; `Memory` is one."""

    def can_hold(self, address: str, size: int) -> bool:
        """Whether an address could have so many bytes more."""
        ...

    def hold(self, address: str, before: int, after: int) -> None:
        """Changes what an address is charged with."""
        ...


class _Reserve:
    """Memory that is always there, even while the service is starting, or what it may hold is held.

    Args:
        size: in bytes.
    """

    def __init__(self, size: int) -> None:
        self._share = FairShare(size)

    def can_hold(self, address: str, size: int) -> bool:
        return self._share.fits(size, address)

    def hold(self, address: str, before: int, after: int) -> None:
        if after > before:
            self._share.take(after - before, address)
        else:
            self._share.give_back(before - after, address)


class Receiver:
    """Takes messages in, within bounds.

    Args:
        account: has the bytes that messages may hold.
        max_bytes: largest message, which the server enforces.
        max_calls: most calls whose messages come in or wait to; shared fairly by addresses.
        seconds: how long a message may take to come in, with the time that it waits.
    """

    def __init__(self, account: Account, *, max_bytes: int, max_calls: int, seconds: float) -> None:
        self._account = account
        self._calls = FairShare(max_calls)
        self._max_bytes = max_bytes
        self._seconds = seconds
        self._lines: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def receive(self, context: Context, address: str) -> bytes:
        """The call's message.

        Args:
            context: of the call.
            address: of its client, whose share of the memory it takes.

        Raises:
            BodyTimeout: if it comes too slowly.
            Overloaded: if there is no memory for it.
            MalformedRequest: if there is none.
        """
        async with self.charged(address):
            message = await context.read()
        if message is EOF:
            raise MalformedRequest(
                f"the call has no message, or one of more than {self._max_bytes} bytes"
            )
        return bytes(message)

    @asynccontextmanager
    async def charged(self, address: str) -> AsyncIterator[None]:
        """Charges one message at a time, for as long as one may take to come in.

        Args:
            address: of the client.

        Raises:
            BodyTimeout: if it takes longer.
            Overloaded: if there is no memory for it.
        """
        if not self._calls.fits(1, address):
            raise Overloaded(f"{self._calls.total} calls are being taken in already")
        is_charged = False
        self._calls.take(1, address)
        try:
            async with asyncio.timeout(self._seconds):
                await self._wait(address)
                self._account.hold(address, 0, self._max_bytes)
                is_charged = True
                yield
        except TimeoutError:
            if not is_charged:
                raise Overloaded("there is no memory for another message") from None
            raise BodyTimeout(f"the message did not come within {self._seconds:g} s") from None
        finally:
            self._calls.give_back(1, address)
            if is_charged:
                self._account.hold(address, self._max_bytes, 0)

    async def _wait(self, address: str) -> None:
        if self._account.can_hold(address, self._max_bytes):
            return
        line = self._lines.setdefault(address, asyncio.Lock())
        async with line:  # in which one looks for all
            # Whoever gives memory back tells nobody.
            while not self._account.can_hold(address, self._max_bytes):  # noqa: ASYNC110 - see above
                await asyncio.sleep(_LOOK_SECONDS)


def small_receiver(max_bytes: int, max_calls: int) -> Receiver:
    """Takes in what must be answered at any time: health, and what names a model.

    Args:
        max_bytes: largest message, which the server enforces.
        max_calls: most calls at once.
    """
    reserve = _Reserve(_SMALL_AT_ONCE * max_bytes)
    return Receiver(reserve, max_bytes=max_bytes, max_calls=max_calls, seconds=_SMALL_SECONDS)
