"""What is known of all photos, and which of them are shown."""

import heapq
from collections import Counter
from dataclasses import dataclass, field

from app.cli.gallery.judged import Judged, Seen, Unreadable

_TOP = 5
_REASONS = 100
_STRANGERS = 5


@dataclass(slots=True)
class Tally:
    """Counts of the photos so far.

    Attributes:
        most: of the photos to show.
        photos: how many were classified.
        unreadable: how many could not be.
        confusion: photos by true and best class, of those in class folders.
        top5: of those, how many have their class among the best five.
        strangers: the first folders that are not a class's.
        faults: the first of those that could not be classified.
    """

    most: int
    photos: int = 0
    unreadable: int = 0
    confusion: Counter[tuple[int, int]] = field(default_factory=Counter)
    top5: int = 0
    strangers: list[str] = field(default_factory=list)
    faults: list[Unreadable] = field(default_factory=list)
    _shown: list[tuple[float, int, Judged]] = field(default_factory=list)

    def add(self, seen: Seen) -> None:
        """Counts one photo."""
        if isinstance(seen, Unreadable):
            self.unreadable += 1
            if len(self.faults) < _REASONS:
                self.faults.append(seen)
            return
        self.photos += 1
        if seen.truth is not None:
            self.confusion[seen.truth, seen.best[0].class_index] += 1
            self.top5 += seen.truth_rank <= _TOP
        elif seen.folder not in self.strangers and len(self.strangers) < _STRANGERS:
            self.strangers.append(seen.folder)
        # Of equal ones the first is kept.
        entry = (seen.worry, -self.photos, seen)
        if len(self._shown) < self.most:
            heapq.heappush(self._shown, entry)
        else:
            heapq.heappushpop(self._shown, entry)

    @property
    def shown(self) -> list[Judged]:
        """The worst mistakes first, then what the model is least sure of."""
        return [seen for _, _, seen in sorted(self._shown, reverse=True)]

    @property
    def labelled(self) -> int:
        """How many photos lie in class folders."""
        return self.confusion.total()

    @property
    def note(self) -> str:
        """What to say of photos that lie in no class's folder beside others that do; or nothing."""
        others = self.photos - self.labelled
        if not self.labelled or not others:
            return ""
        named = ", ".join(name or "the folder itself" for name in self.strangers)
        return f"Photos in no class's folder: {others:,} ({named})."

    @property
    def right(self) -> int:
        """How many of those have the class of their folder."""
        return sum(count for (truth, best), count in self.confusion.items() if truth == best)

    @property
    def classes(self) -> list[int]:
        """The classes that there are photos of or that such photos were taken for, rising."""
        return sorted({index for pair in self.confusion for index in pair})
