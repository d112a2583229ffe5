"""What the clients of a chaos run counted."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class Tally:
    """What the clients counted.

    Attributes:
        statuses: answers by status.
        unanswered: requests whose sender left; the service may have answered them.
        checked: good images whose answer was right.
        failed: good images that a failing engine took down, with a typed error.
        wrong: what should not have happened.
    """

    statuses: Counter[int] = field(default_factory=Counter)
    unanswered: int = 0
    checked: int = 0
    failed: int = 0
    wrong: list[str] = field(default_factory=list)

    def expect(self, holds: bool, what: str) -> None:
        """Notes what went wrong, if it did."""
        if not holds:
            self.wrong.append(what)
