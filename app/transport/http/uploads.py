"""An image as it came in a request."""

from dataclasses import dataclass
from typing import Self

_MAX_NAME_LENGTH = 255


@dataclass(frozen=True, slots=True)
class Upload:
    """One image as it came.

    Attributes:
        name: the client's name for it, if any.
        data: the encoded image.
    """

    name: str | None
    data: bytes

    @classmethod
    def named(cls, name: str | None, data: bytes) -> Self:
        """With a name of bounded length; an empty one is none."""
        return cls((name or "")[:_MAX_NAME_LENGTH] or None, data)
