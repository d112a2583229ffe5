"""A bound that many share and nobody can use up alone."""

from collections import Counter
from collections.abc import Hashable


class FairShare:
    """Divides a capacity by dynamic thresholds (Choudhury and Hahne 1998, with alpha = 1).

    A holder may have as much as is left free. So one alone gets half of the capacity, two greedy
    ones a third each, and so on; a newcomer always gets some, and nobody has to be configured.

    Args:
        capacity: the most that all hold together.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._held: Counter[Hashable] = Counter()
        self._total = 0

    @property
    def total(self) -> int:
        """What all hold together."""
        return self._total

    def resize(self, capacity: int) -> None:
        """Changes the most that all hold together; what is held stays held."""
        self._capacity = capacity

    def fits(self, amount: int, *holders: Hashable) -> bool:
        """Whether each of the holders may have so much more.

        A holder that has nothing may always take what is free, so that an amount of up to the
        capacity can be had at all.
        """
        free = self._capacity - self._total
        if amount > free:
            return False
        for holder in holders:
            held = self._held[holder]
            if held and held + amount > free:
                return False
        return True

    def take(self, amount: int, *holders: Hashable) -> None:
        """Gives so much to the holders, who are one user seen in several ways."""
        self._total += amount
        for holder in holders:
            self._held[holder] += amount

    def give_back(self, amount: int, *holders: Hashable) -> None:
        """Takes it back."""
        self._total -= amount
        for holder in holders:
            self._held[holder] -= amount
            if not self._held[holder]:
                # Clients come and go; the table must not grow with them.
                del self._held[holder]
