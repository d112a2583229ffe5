"""The service's wire format on the way out: requests. Does no input or output."""

import math
import operator
import secrets
from collections.abc import Callable, Collection, Mapping, Sequence, Set
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, TypedDict
from urllib.parse import quote

from senet_client import errors
from senet_client.images import EncodedImage

Output = Literal["embedding", "cam", "excitations"]
Priority = Literal["interactive", "bulk"]


class ClassifyOptions(TypedDict, total=False):
    """What a classification may ask for; the service's own defaults hold for what is left out."""

    model: str
    """Name of the model that must answer."""
    version: str
    """Version of the model that must answer."""
    top_k: int
    """Most classes per image."""
    min_score: float
    """Classes with a lower score are left out."""
    include: Collection[Output]
    """Outputs beyond the classes: `embedding`, `cam`, `excitations`."""
    coverage: float
    """Adds `prediction_set`, which holds the true class with this probability: 0.5 to 0.999."""
    priority: Priority
    """`bulk` lets interactive images go first."""


class ExplainOptions(TypedDict, total=False):
    """What a picture of a map may be asked for."""

    model: str
    """Name of the model that must answer."""
    version: str
    """Version of the model that must answer."""
    class_index: int
    """Whose map is drawn; without it, the best class's."""
    opacity: float
    """Of the map where it is strongest, between 0 and 1."""
    priority: Priority
    """`bulk` lets interactive images go first."""


@dataclass(frozen=True, slots=True)
class WireRequest:
    """A request, independent of who sends it and how often."""

    method: str
    path: str
    params: tuple[tuple[str, str], ...] = ()
    content: bytes = b""
    content_type: str | None = None


def classify_request(images: Sequence[EncodedImage], options: ClassifyOptions) -> WireRequest:
    """One request for all the images: the raw body for one, multipart for several.

    Raises:
        InvalidArgument: for an option that does not exist, or if no image is given.
    """
    if not images:
        raise errors.InvalidArgument("no image was given; give at least one")
    params = _params(options, _PARAMETERS.keys() - _OF_EXPLAIN)
    if len(images) == 1:
        content, content_type = images[0].data, "application/octet-stream"
    else:
        content, content_type = _multipart(images)
    return WireRequest("POST", "classify", params, content, content_type)


def explain_request(image: EncodedImage, options: ExplainOptions) -> WireRequest:
    """A request for a picture of a class's map.

    Raises:
        InvalidArgument: for an option that does not exist.
    """
    params = _params(options, ExplainOptions.__annotations__.keys())
    return WireRequest("POST", "explain", params, image.data, "application/octet-stream")


def _params(options: Mapping[str, object], known: Set[str]) -> tuple[tuple[str, str], ...]:
    params = []
    for name, value in options.items():
        if name not in known:
            raise errors.InvalidArgument(f"there is no option {name!r}")
        wanted, to_text = _PARAMETERS[name]
        try:
            params.append((name, to_text(value)))
        except (TypeError, ValueError) as error:
            raise errors.InvalidArgument(
                f"{name} must be {wanted}, not {value!r}; leave it out for the service's default"
            ) from error
    return tuple(params)


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise TypeError
    return value


def _version(value: object) -> str:
    return _text(value) if isinstance(value, str) else _count(value)


def _count(value: Any) -> str:  # noqa: ANN401 - whatever a caller passes
    if isinstance(value, bool):
        raise TypeError
    return str(operator.index(value))  # NumPy's whole numbers too


def _number(value: Any) -> str:  # noqa: ANN401 - whatever a caller passes
    if isinstance(value, str | bool) or not math.isfinite(value):
        raise ValueError
    return str(float(value))


def _names(value: Any) -> str:  # noqa: ANN401 - whatever a caller passes
    if isinstance(value, str):
        return value
    names = sorted(value) if isinstance(value, Set) else list(value)
    return ",".join(_text(name) for name in names)


# What each option is, for a person, and how it is put into the query.
_PARAMETERS: Mapping[str, tuple[str, Callable[[object], str]]] = MappingProxyType(
    {
        "model": ("a name", _text),
        "version": ("a version's number", _version),
        "top_k": ("a whole number", _count),
        "min_score": ("a finite number", _number),
        "coverage": ("a finite number", _number),
        "include": ("names of outputs", _names),
        "priority": ("'interactive' or 'bulk'", _text),
        "class_index": ("a whole number", _count),
        "opacity": ("a finite number", _number),
    }
)
_OF_EXPLAIN = frozenset({"class_index", "opacity"})


def models_request() -> WireRequest:
    """Asks what is loaded."""
    return WireRequest("GET", "models")


def class_gates_request(model: str, version: int | str, class_index: int) -> WireRequest:
    """Asks what the gates of a version did over the photos of a class.

    Raises:
        InvalidArgument: for what is not a name, version or index.
    """
    given = (("model", model), ("version", version), ("class_index", class_index))
    (_, name), (_, number), (_, index) = _params(dict(given), {key for key, _ in given})
    path = f"models/{quote(name, safe='')}/versions/{quote(number, safe='')}/gates/{index}"
    return WireRequest("GET", path)


def ready_request() -> WireRequest:
    """Asks whether images may be sent."""
    return WireRequest("GET", "readyz")


def _multipart(images: Sequence[EncodedImage]) -> tuple[bytes, str]:
    # Built here, once, because the same bytes are sent again on a retry. Parts carry no names:
    # answers come by position, and paths may hold what a header cannot.
    boundary = secrets.token_hex(16)
    head = (
        f"--{boundary}\r\n"
        'Content-Disposition: form-data; name="image"; filename=""\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    ).encode()
    pieces = [piece for image in images for piece in (head, image.data, b"\r\n")]
    pieces.append(f"--{boundary}--\r\n".encode())
    return b"".join(pieces), f"multipart/form-data; boundary={boundary}"
