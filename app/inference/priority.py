"""Who goes first."""

from collections import OrderedDict, deque
from collections.abc import Hashable, Iterator
from typing import Generic, Literal, TypeVar

Item = TypeVar("Item")
Priority = Literal["interactive", "bulk"]

# While both kinds wait, every eighth turn goes to bulk, so that it advances.
_BULK_EVERY = 8


class PriorityQueue(Generic[Item]):
    """Interactive items go first, bulk ones get at least an eighth of the turns.

    Within a kind callers take turns, so that nobody waits behind all that another has queued.
    """

    def __init__(self) -> None:
        self._kinds: dict[Priority, _Turns[Item]] = {"interactive": _Turns(), "bulk": _Turns()}
        self._since_bulk = 0

    def __len__(self) -> int:
        return sum(kind.length for kind in self._kinds.values())

    def push(self, item: Item, priority: Priority, caller: Hashable) -> None:
        """Puts an item at the end of its caller's row."""
        self._kinds[priority].push(item, caller)

    def turn(self) -> Priority:
        """Whose turn it is now; asking takes the turn.

        Raises:
            IndexError: if nobody waits.
        """
        interactive, bulk = self.waiting("interactive"), self.waiting("bulk")
        if bulk and (not interactive or self._since_bulk >= _BULK_EVERY - 1):
            self._since_bulk = 0
            return "bulk"
        if not interactive:
            raise IndexError("nobody waits")
        self._since_bulk = self._since_bulk + 1 if bulk else 0
        return "interactive"

    def waiting(self, priority: Priority) -> int:
        """How many of a kind wait."""
        return self._kinds[priority].length

    def pop(self, priority: Priority) -> Item:
        """Takes the first item of the caller of this kind whose turn it is.

        Raises:
            IndexError: if there is none.
        """
        return self._kinds[priority].pop()

    def heads(self) -> Iterator[Item]:
        """The first item of each caller's row."""
        return (row[0] for kind in self._kinds.values() for row in kind.rows.values())


class _Turns(Generic[Item]):
    """One row for each caller that waits, in the order of their turns."""

    def __init__(self) -> None:
        self.rows: OrderedDict[Hashable, deque[Item]] = OrderedDict()
        self.length = 0

    def push(self, item: Item, caller: Hashable) -> None:
        self.rows.setdefault(caller, deque()).append(item)
        self.length += 1

    def pop(self) -> Item:
        if not self.rows:
            raise IndexError("nobody waits")
        caller, row = self.rows.popitem(last=False)
        item = row.popleft()
        if row:
            self.rows[caller] = row
        self.length -= 1
        return item
