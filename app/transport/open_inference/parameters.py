"""Parameters of requests, inputs and outputs."""

from collections.abc import Mapping
from typing import Any

from app.contract.errors import MalformedRequest
from app.transport.open_inference.outputs import AskedOutput

_MAX_CLASSES = 100_000


def asked_output(name: str, parameters: Mapping[str, Any]) -> AskedOutput:
    """The output that a request asks for.

    Args:
        name: of the output.
        parameters: of the output.

    Raises:
        MalformedRequest: if it is asked for in shared memory, or its classes are not a number.
    """
    where = f"output {name[:64]!r}"
    check_not_shared(parameters, where)
    return AskedOutput(name, min(whole(parameters, "classification", where), _MAX_CLASSES))


def check_not_shared(parameters: Mapping[str, Any], where: str) -> None:
    """Refuses a tensor in shared memory.

    Args:
        parameters: of the tensor.
        where: it stands, for the message.

    Raises:
        MalformedRequest: if it is one.
    """
    if "shared_memory_region" in parameters:
        raise MalformedRequest(
            f"{where}: shared memory is not served; send the tensor's bytes in the body"
        )


def whole(parameters: Mapping[str, Any], name: str, where: str) -> int:
    """A whole number from 0; 0 where it is not given.

    Args:
        parameters: with it.
        name: of the parameter.
        where: it stands, for the message.

    Raises:
        MalformedRequest: if it is something else.
    """
    value = parameters.get(name, 0)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise MalformedRequest(f"{where}: {name} is not a whole number of 0 or more")
    return value
