"""The errors of the domain as statuses of gRPC, by their statuses of HTTP."""

from collections.abc import Mapping
from types import MappingProxyType

import grpc

from app.contract.errors import RequestError, Unavailable
from app.transport.http.problems import ANSWERS, retry_after

_CODES: Mapping[int, grpc.StatusCode] = MappingProxyType(
    {
        400: grpc.StatusCode.INVALID_ARGUMENT,
        401: grpc.StatusCode.UNAUTHENTICATED,
        403: grpc.StatusCode.PERMISSION_DENIED,
        404: grpc.StatusCode.NOT_FOUND,
        408: grpc.StatusCode.DEADLINE_EXCEEDED,
        409: grpc.StatusCode.FAILED_PRECONDITION,
        413: grpc.StatusCode.INVALID_ARGUMENT,
        415: grpc.StatusCode.INVALID_ARGUMENT,
        422: grpc.StatusCode.INVALID_ARGUMENT,
        429: grpc.StatusCode.RESOURCE_EXHAUSTED,
        500: grpc.StatusCode.INTERNAL,
        503: grpc.StatusCode.UNAVAILABLE,
        504: grpc.StatusCode.DEADLINE_EXCEEDED,
    }
)

CODE_FIELD = "x-error-code"
"""The trailing metadata that has the error's stable name, as `code` of a problem has it."""


def http_status(error: RequestError) -> int:
    """The status by which metrics and log count it."""
    return ANSWERS[type(error)].status


def status_code(error: RequestError) -> grpc.StatusCode:
    """The status that the client gets."""
    return _CODES[http_status(error)]


def trailing(error: RequestError) -> list[tuple[str, str]]:
    """The metadata that goes with it."""
    fields = [(CODE_FIELD, error.code)]
    if isinstance(error, Unavailable):
        seconds = retry_after(error)
        # gRPC's own libraries wait so long where they try again by themselves.
        fields += [("retry-after", seconds), ("grpc-retry-pushback-ms", f"{seconds}000")]
    return fields
