"""Who goes first."""

from collections import deque
from collections.abc import Iterator
from typing import Generic, Literal, TypeVar

Item = TypeVar("Item")
Priority = Literal["interactive", "bulk"]

# While both kinds wait, every eighth turn goes to bulk, so that it advances.
_BULK_EVERY = 8


class PriorityQueue(Generic[Item]):
    """Interactive items go first, bulk ones get at least an eighth of the turns."""

    def __init__(self) -> None:
        self._queues: dict[Priority, deque[Item]] = {"interactive": deque(), "bulk": deque()}
        self._since_bulk = 0

    def __len__(self) -> int:
        return sum(map(len, self._queues.values()))

    def push(self, item: Item, priority: Priority) -> None:
        """Puts an item at the end of its kind."""
        self._queues[priority].append(item)

    def turn(self) -> Priority:
        """Whose turn it is now; asking takes the turn.

        Raises:
            IndexError: if nobody waits.
        """
        interactive, bulk = self._queues["interactive"], self._queues["bulk"]
        if bulk and (not interactive or self._since_bulk >= _BULK_EVERY - 1):
            self._since_bulk = 0
            return "bulk"
        if not interactive:
            raise IndexError("nobody waits")
        self._since_bulk = self._since_bulk + 1 if bulk else 0
        return "interactive"

    def waiting(self, priority: Priority) -> int:
        """How many of a kind wait."""
        return len(self._queues[priority])

    def pop(self, priority: Priority) -> Item:
        """Takes the first item of a kind.

        Raises:
            IndexError: if there is none.
        """
        return self._queues[priority].popleft()

    def heads(self) -> Iterator[Item]:
        """The first item of each kind that has one."""
        return (queue[0] for queue in self._queues.values() if queue)
