"""Who goes first."""

from collections import OrderedDict, deque
from collections.abc import Hashable, Iterator
from typing import Generic, Literal, TypeVar

Item = TypeVar("Item")
Priority = Literal["interactive", "bulk"]

PRIORITIES: tuple[Priority, ...] = ("interactive", "bulk")


class Turns(Generic[Item]):
    """A queue in which callers take turns, so that nobody waits behind all that another queued."""

    def __init__(self) -> None:
        self._rows: OrderedDict[Hashable, deque[Item]] = OrderedDict()
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def push(self, item: Item, caller: Hashable) -> None:
        """Puts an item at the end of its caller's row."""
        self._rows.setdefault(caller, deque()).append(item)
        self._length += 1

    def pop(self) -> Item:
        """Takes the first item of the caller whose turn it is.

        Raises:
            IndexError: if there is none.
        """
        if not self._rows:
            raise IndexError("nothing is queued")
        caller, row = self._rows.popitem(last=False)
        item = row.popleft()
        if row:
            self._rows[caller] = row
        self._length -= 1
        return item

    def heads(self) -> Iterator[Item]:
        """The first item of each caller's row."""
        return (row[0] for row in self._rows.values())
