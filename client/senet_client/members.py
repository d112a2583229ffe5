"""Members of JSON objects, of the type that the service's API gives them."""

from collections.abc import Mapping
from typing import Any, TypeVar

from senet_client.errors import UnexpectedAnswer

T = TypeVar("T")


def member(value: Mapping[str, Any], name: str, kind: type[T]) -> T:
    """The member of that name.

    Raises:
        UnexpectedAnswer: if it is missing or of another type.
    """
    found = value.get(name) if isinstance(value, dict) else None
    # JSON has one kind of number, and 1.0 may come as 1.
    if kind is float and isinstance(found, int):
        found = float(found)
    if not isinstance(found, kind):
        raise UnexpectedAnswer(
            f"the answer has no usable {name!r}; does the service speak this client's API?"
        )
    return found
