"""Pools of connections: one for each process and event loop that uses a client.

A connection that two processes share mixes up their answers, and one whose event loop is closed
cannot be used. So what a fork or an earlier `asyncio.run` left is not used again.
"""

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from senet_client.errors import ClientClosed

Http = TypeVar("Http")
Turns = TypeVar("Turns")


@dataclass(frozen=True, slots=True)
class Pool(Generic[Http, Turns]):
    """The connections of one process and event loop.

    Attributes:
        http: sends requests.
        turns: a semaphore that bounds how many are under way. A part of the pool, because one
            that was held during a fork would never be released in the child.
    """

    http: Http
    turns: Turns


class Pools(Generic[Http, Turns]):
    """Gives each process and event loop a pool of its own. May be used by several threads.

    Args:
        make: makes a pool; called once here, so that its mistakes show at once.
        loop: the event loop that is running; None for a blocking client.
    """

    def __init__(
        self,
        make: Callable[[], Pool[Http, Turns]],
        loop: Callable[[], asyncio.AbstractEventLoop | None],
    ) -> None:
        self._make = make
        self._loop = loop
        self._closed = False
        # Pools of a parent process stay here, untouched: to close one would take locks that a
        # thread may have held during the fork, and to drop it would warn of unclosed sockets.
        self._pools: dict[tuple[int, asyncio.AbstractEventLoop | None], Pool[Http, Turns]] = {
            (os.getpid(), None): make()
        }

    def current(self) -> Pool[Http, Turns]:
        """The pool of this process and event loop.

        Raises:
            ClientClosed: if the client is closed.
        """
        if self._closed:
            raise ClientClosed("this client is closed; make another one")
        process, loop = os.getpid(), self._loop()
        pool = self._pools.get((process, loop))
        if pool is not None:
            return pool
        for other in list(self._pools):
            if other[1] is not None and other[1].is_closed():
                self._pools.pop(other, None)
        made = self._pools.pop((process, None), None) or self._make()
        # Of threads that come here together one wins, and all use its pool.
        return self._pools.setdefault((process, loop), made)

    def close(self) -> Pool[Http, Turns] | None:
        """Lets no further request begin. Returns this process's pool, to be closed, if any."""
        self._closed = True
        return self._pools.pop((os.getpid(), self._loop()), None) or self._pools.pop(
            (os.getpid(), None), None
        )

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed
