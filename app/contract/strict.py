"""What everything that is read from outside shares: strict models, and how a fault is told."""

from pydantic import BaseModel, ConfigDict, ValidationError

# Of names that a client may have chosen.
_LONGEST_PLACE = 80


class Strict(BaseModel):
    """Immutable, and refuses keys that it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


def first_fault(error: ValidationError, whole: str = "the whole") -> str:
    """Where the first fault is and what it is: `labels.3.name: Field required`.

    Args:
        error: pydantic's.
        whole: stands for the place if the fault is in no part.
    """
    first = error.errors(include_input=False, include_url=False)[0]
    place = ".".join(str(part) for part in first["loc"])[:_LONGEST_PLACE]
    return f"{place or whole}: {first['msg']}"
