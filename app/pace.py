"""How slowly bytes may come or go."""

from dataclasses import dataclass

from app.contract.errors import BodyTimeout


@dataclass(frozen=True, slots=True)
class Pace:
    """A grace, and the rate that counts after it.

    The grace suits a client that hesitates; the rate a slow line, which works as long as it takes,
    while a client that only wants to keep a connection busy does not.

    Attributes:
        grace_seconds: time in which any pace will do.
        bytes_per_second: lowest average rate after it.
    """

    grace_seconds: float
    bytes_per_second: float

    def seconds(self, size: int) -> float:
        """Longest time, from the beginning, until more than `size` bytes must have passed."""
        return self.grace_seconds + size / self.bytes_per_second

    def too_slow(self, received: int) -> BodyTimeout:
        """The error for a body of which only so many bytes have come in time."""
        return BodyTimeout(
            f"{received} bytes of the body came; after {self.grace_seconds:g} s at least"
            f" {self.bytes_per_second:g} bytes a second are expected"
        )
