"""The query of an adapter's route: what `/classify` takes, as far as it fits the answer's form."""

from collections.abc import Mapping

from starlette.datastructures import QueryParams

from app.contract.errors import InvalidParameter
from app.transport.http.parameters import ClassifyParameters

_ALLOWED = ("top_k", "min_score", "priority", "model", "version")


def read_query(path_params: Mapping[str, str], query: bytes) -> ClassifyParameters:
    """Reads a query.

    Args:
        path_params: what the path says; what names the model there cannot be said again.
        query: of the request.

    Raises:
        InvalidParameter: if a parameter is unknown or its value is not accepted.
    """
    named = {name: path_params[name] for name in ("model", "version") if name in path_params}
    for name, _ in QueryParams(query).multi_items() if query else ():
        if name not in _ALLOWED or (named and name in ("model", "version")):
            raise InvalidParameter(f"{name[:64]}: this route has no such parameter")
    return ClassifyParameters.parse(query).model_copy(update=named)
