"""The memory that requests may hold: bodies, and the images in them, for as long as they live."""

from app.contract.errors import Overloaded
from app.inference.fair_share import FairShare
from app.telemetry.metrics import Metrics


class Memory:
    """Charges requests with the bytes that they hold. For one event loop.

    The capacity is shared fairly between addresses, see `FairShare`.

    Args:
        capacity: most bytes that all requests hold together.
        metrics: gets the refusals.
    """

    def __init__(self, capacity: int, metrics: Metrics) -> None:
        self._capacity = capacity
        self._share = FairShare(capacity)
        self._rejected = metrics.rejected.labels("buffered_bytes")

    def resize(self, capacity: int) -> None:
        """Changes the most bytes that all requests hold together."""
        self._capacity = capacity
        self._share.resize(capacity)

    def can_hold(self, address: str, size: int) -> bool:
        """Whether an address could have so many bytes more."""
        return self._share.fits(size, address)

    def hold(self, address: str, before: int, after: int) -> None:
        """Changes what a request is charged with.

        Args:
            address: whose share it is.
            before: the bytes that the request has been charged with.
            after: the bytes to charge it with instead.

        Raises:
            Overloaded: if it is more, and there is no memory for it.
        """
        if after <= before:
            self._share.give_back(before - after, address)
            return
        if not self._share.fits(after - before, address):
            self._rejected.inc()
            raise Overloaded(
                f"requests hold {self._share.total} of {self._capacity} bytes, and this one needs"
                f" {after - before} more"
            )
        self._share.take(after - before, address)
