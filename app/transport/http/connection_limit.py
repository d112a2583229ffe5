"""How many connections are open, and who has to give one up for a newcomer."""

import ipaddress
from collections import Counter
from collections.abc import Callable
from typing import Protocol

PROBE_CONNECTIONS = 16
"""Those that probes and scrapes can have when all others are taken; the operations port has as many
and as many more."""


class Connection(Protocol):
    """A connection that is counted."""

    def make_way(self) -> None:
        """Ends at once; nothing is being answered on it, or it was over the limit anyway."""


class ConnectionLimit:
    """Shares a number of connections between the addresses that open them.

    - An address may have as many as are left free: one alone gets half of them, two greedy ones a
      third each, and a newcomer always finds some free (dynamic thresholds, Choudhury and Hahne
      1998). Idle connections of others count as free, for they make way. Proxies, behind which
      many clients share an address, have no such bound.
    - Who has reached a limit gives up an idle connection for each new one, the oldest first: of
      its own where its address is at its bound, of anybody's where all connections are taken.
    - Where none is idle, the new connection is for probes alone. Of those there is a small reserve,
      in which the oldest makes way.

    Args:
        places: connections for everybody.
        reserve: further ones, for probes.
        is_proxy: whether an address is that of a trusted proxy.
    """

    def __init__(self, places: int, *, reserve: int, is_proxy: Callable[[str], bool]) -> None:
        self._places = places
        self._reserve = reserve
        self._is_proxy = is_proxy
        self._sources: dict[Connection, str] = {}
        self._held: Counter[str] = Counter()
        # Dictionaries as ordered sets: the first one has been idle for the longest time.
        self._idle: dict[Connection, None] = {}
        self._idle_of: dict[str, dict[Connection, None]] = {}
        self._for_probes: dict[Connection, None] = {}

    def open(self, connection: Connection, address: str) -> bool:
        """Counts a new connection, which is idle at first.

        Args:
            connection: the newcomer.
            address: of its client; "" if it has none.

        Returns:
            Whether it may be used for more than probes.
        """
        source = _source(address)
        is_allowed, leaver = self._judge(source, is_bounded=not self._is_proxy(address))
        if not is_allowed:
            if len(self._for_probes) >= self._reserve:
                leaver = next(iter(self._for_probes))
            self._for_probes[connection] = None
        if leaver is not None:
            self.close(leaver)
            leaver.make_way()
        if is_allowed:
            self._sources[connection] = source
            self._held[source] += 1
            self._idle_of.setdefault(source, {})
            self.set_idle(connection)
        return is_allowed

    def set_idle(self, connection: Connection) -> None:
        """The connection may make way from now on."""
        if (source := self._sources.get(connection)) is not None:
            self._idle[connection] = None
            self._idle_of[source][connection] = None

    def set_busy(self, connection: Connection) -> None:
        """Something is being answered on the connection."""
        if connection in self._idle:
            del self._idle[connection]
            del self._idle_of[self._sources[connection]][connection]

    def close(self, connection: Connection) -> None:
        """The connection is gone; a second time nothing happens."""
        self._for_probes.pop(connection, None)
        self.set_busy(connection)
        if (source := self._sources.pop(connection, None)) is not None:
            self._held[source] -= 1
            if not self._held[source]:
                # Clients come and go; the tables must not grow with them.
                del self._held[source], self._idle_of[source]

    def _judge(self, source: str, *, is_bounded: bool) -> tuple[bool, Connection | None]:
        """Whether one more of that source is allowed, and who makes way for it."""
        free = self._places - len(self._sources)
        held = self._held.get(source, 0)
        if is_bounded and held >= max(1, free):
            if own := self._idle_of.get(source):
                return True, next(iter(own))
            if held >= max(1, free + len(self._idle)):
                return False, None
        if free > 0:
            return True, None
        oldest = next(iter(self._idle), None)
        return oldest is not None, oldest


def _source(address: str) -> str:
    """What shares a bound: an IPv4 address or, for one client has all of it, an IPv6 /64."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(parsed) >> 64 << 64, 64)))
