"""The queries and headers of requests: read here, and told to OpenAPI from here.

FastAPI would solve them anew for each request, which costs more than the rest of the route.
"""

from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from starlette.datastructures import QueryParams

from app.contract.errors import InvalidParameter
from app.contract.prediction_sets import Coverage
from app.contract.signature import Include
from app.contract.strict import first_fault
from app.inference.classification import ClassifyOptions

TIMEOUT_HEADER = "X-Request-Timeout-Ms"
_TIMEOUT_FIELD = TIMEOUT_HEADER.lower().encode()
_LIST = "include"
# More than anybody means, and little enough to be a time.
_MAX_MILLISECONDS = 10**12
_Milliseconds = Annotated[int, Field(ge=1, le=_MAX_MILLISECONDS)]
# Building it takes a thousand times as long as using it.
_MILLISECONDS: TypeAdapter[int] = TypeAdapter(_Milliseconds)


class Query(BaseModel):
    """What every query may say. A parameter that is not listed is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    model: str | None = None
    """Name of the model; without it, whichever is served."""
    version: str | None = None
    """Version of the model; without it, whichever is served."""
    priority: Literal["interactive", "bulk"] = "interactive"
    """Bulk images let interactive ones go first."""

    @classmethod
    def parse(cls, query: bytes) -> Self:
        """Reads a query string; of a repeated parameter other than `include` the last counts.

        Raises:
            InvalidParameter: if a parameter is unknown or its value is not accepted.
        """
        given = QueryParams(query)
        values: dict[str, object] = dict(given)
        if _LIST in values:
            parts = (part for value in given.getlist(_LIST) for part in value.split(","))
            values[_LIST] = [part for part in parts if part]
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise InvalidParameter(first_fault(error)) from error


class ClassifyParameters(Query):
    """The query of `POST /classify`."""

    top_k: Annotated[int, Field(ge=1)] = 5
    """Most classes per image."""
    min_score: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Classes with a lower score are left out."""
    include: frozenset[Include] = frozenset()
    """Further outputs, repeated or comma-separated: the embedding of the image; the class
    activation map of each class returned; the excitations (gates) of each SE block."""
    coverage: Coverage | None = None
    """Adds the set of classes that holds the true one with this probability, as long as photos are
    like those that the sets were fitted to."""

    @cached_property
    def options(self) -> ClassifyOptions:
        """What is asked of the model."""
        return ClassifyOptions(self.top_k, self.min_score, self.include, self.coverage, judged=True)


class ExplainParameters(Query):
    """The query of `POST /explain`."""

    class_index: Annotated[int, Field(ge=0)] | None = None
    """Whose map is drawn; without it, the best class's."""
    opacity: Annotated[float, Field(ge=0, le=1)] = 0.7
    """Of the map where it is strongest."""


def client_timeout_ms(headers: Mapping[bytes, bytes]) -> int | None:
    """The time in milliseconds that the client itself sets; None if it sets none.

    Raises:
        InvalidParameter: if the header is not a positive whole number.
    """
    asked = headers.get(_TIMEOUT_FIELD)
    if asked is None:
        return None
    try:
        return _MILLISECONDS.validate_python(asked.decode("latin-1"))
    except ValidationError as error:
        raise InvalidParameter(first_fault(error, TIMEOUT_HEADER.lower())) from error


def openapi_parameters(query: type[Query]) -> list[dict[str, Any]]:
    """The `parameters` of the operation in the OpenAPI document."""
    parameters = [
        {
            "name": name,
            "in": "query",
            "required": False,
            "description": schema.pop("description"),
            "schema": schema,
        }
        for name, schema in query.model_json_schema()["properties"].items()
    ]
    header = {
        "name": TIMEOUT_HEADER,
        "in": "header",
        "required": False,
        "description": "The client's own deadline in milliseconds.",
        "schema": _MILLISECONDS.json_schema(),
    }
    return [*parameters, header]
