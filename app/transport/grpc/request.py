"""An inference request -> what it says."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import DecodeError

from app.contract.errors import MalformedRequest
from app.transport.grpc.bounds import check_fields
from app.transport.grpc.protocol.open_inference_pb2 import InferParameter, ModelInferRequest
from app.transport.open_inference.inputs import InputTensor
from app.transport.open_inference.outputs import AskedOutput
from app.transport.open_inference.parameters import asked_output, check_not_shared, whole

_Input = ModelInferRequest.InferInputTensor


@dataclass(frozen=True, slots=True)
class InferRequest:
    """What a request says.

    Attributes:
        model: whose answer is wanted; None for the default.
        version: or a label; None for whichever is served.
        id: the client's own for it.
        inputs: the tensors.
        outputs: what is asked for.
        timeout_us: the client's deadline, in microseconds; 0 without one.
    """

    model: str | None
    version: str | None
    id: str
    inputs: list[InputTensor]
    outputs: list[AskedOutput]
    timeout_us: int


def read_request(message: bytes, max_images: int) -> InferRequest:
    """Reads a `ModelInferRequest`.

    Args:
        message: in protobuf's encoding.
        max_images: most images in one request.

    Raises:
        MalformedRequest: if it is none, or does not agree with itself.
    """
    check_fields(message, max_images)
    try:
        request = ModelInferRequest.FromString(message)
    except DecodeError as error:
        raise MalformedRequest("the message is not a ModelInferRequest") from error
    del message
    return InferRequest(
        request.model_name or None,
        request.model_version or None,
        request.id,
        _inputs(request),
        [asked_output(output.name, values(output.parameters)) for output in request.outputs],
        whole(values(request.parameters), "timeout", "parameters"),
    )


def values(parameters: Mapping[str, InferParameter]) -> dict[str, Any]:
    """Parameters as JSON has them."""
    found = {}
    for name, parameter in parameters.items():
        choice = parameter.WhichOneof("parameter_choice")
        if choice is not None:
            found[name] = getattr(parameter, choice)
    return found


def _inputs(request: ModelInferRequest) -> list[InputTensor]:
    raw = request.raw_input_contents
    if raw and len(raw) != len(request.inputs):
        raise MalformedRequest(
            f"raw_input_contents holds {len(raw)} tensors, and there are {len(request.inputs)}"
            " inputs"
        )
    tensors = []
    for index, given in enumerate(request.inputs):
        where = f"input {given.name[:64]!r}"
        check_not_shared(values(given.parameters), where)
        if not raw:
            content = _content(given, where)
        elif given.HasField("contents"):
            raise MalformedRequest(f"{where} has both contents and raw_input_contents")
        else:
            content = memoryview(raw[index])
        tensors.append(InputTensor(given.name, given.datatype, list(given.shape), content))
    return tensors


def _content(given: _Input, where: str) -> memoryview | list[bytes]:
    """The tensor that `contents` holds; one of another type is refused for its type."""
    used = [field.name for field, _ in given.contents.ListFields()]
    fitting = {"BYTES": "bytes_contents", "UINT8": "uint_contents"}.get(given.datatype)
    if fitting and used != [fitting]:
        told = ", ".join(used) or "nothing"
        raise MalformedRequest(f"{where}: {given.datatype} goes into {fitting}, not {told}")
    if given.datatype == "BYTES":
        return list(given.contents.bytes_contents)
    if given.datatype != "UINT8":
        return memoryview(b"")
    try:
        return memoryview(bytes(given.contents.uint_contents))
    except ValueError:
        raise MalformedRequest(f"{where}: UINT8 are numbers from 0 to 255") from None
