"""One image of the corpus and how it may end."""

from dataclasses import dataclass

PREDICTION = "prediction"
INVALID = "invalid_image"
UNSUPPORTED = "unsupported_image_format"
TOO_LARGE = "image_too_large"


@dataclass(frozen=True, slots=True)
class Case:
    """An image to try.

    Attributes:
        name: `<kind>/<what>`, unique.
        data: the bytes.
        outcomes: what may come of it: "prediction" or the code of an error.
    """

    name: str
    data: bytes
    outcomes: frozenset[str]

    @classmethod
    def of(cls, name: str, data: bytes, *outcomes: str) -> "Case":
        """A case with these outcomes."""
        return cls(name, data, frozenset(outcomes))
