"""The body of an inference request: JSON, which tensors in binary may follow."""

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Annotated, Any, NotRequired

from pydantic import ConfigDict, FailFast, TypeAdapter, with_config
from typing_extensions import TypedDict

from app.contract.decoding import sniff
from app.contract.errors import MalformedRequest
from app.transport.http.json_text import LONG_TEXT, decode_image, read_large_document
from app.transport.open_inference.inputs import ENCODED, InputTensor
from app.transport.open_inference.outputs import AskedOutput
from app.transport.open_inference.parameters import asked_output, check_not_shared, whole

HEADER_LENGTH = "Inference-Header-Content-Length"
"""Says how long the JSON is that tensors follow."""

_HEADER_FIELD = HEADER_LENGTH.lower().encode()
_LENGTH = re.compile(rb"\d{1,18}")

Parameters = dict[str, Any] | None


@with_config(ConfigDict(strict=True))
class _Input(TypedDict):
    name: str
    shape: Annotated[list[int], FailFast()]
    datatype: str
    parameters: NotRequired[Parameters]
    data: NotRequired[object]  # checked below, value by value


@with_config(ConfigDict(strict=True))
class _Output(TypedDict):
    name: str
    parameters: NotRequired[Parameters]


@with_config(ConfigDict(strict=True))
class _Head(TypedDict):
    id: NotRequired[str | None]
    parameters: NotRequired[Parameters]
    inputs: Annotated[list[_Input], FailFast()]
    outputs: NotRequired[list[_Output] | None]


# Building it takes a thousand times as long as using it.
_HEAD = TypeAdapter(_Head)


@dataclass(frozen=True, slots=True)
class InferRequest:
    """What a request says.

    Attributes:
        id: the client's own for it; None without one.
        inputs: the tensors.
        outputs: what is asked for.
        are_binary: for each of `outputs`, whether it is wanted in binary.
        is_binary: the same where `outputs` is empty.
        timeout_us: the client's deadline, in microseconds; 0 without one.
    """

    id: str | None
    inputs: list[InputTensor]
    outputs: list[AskedOutput]
    are_binary: list[bool]
    is_binary: bool
    timeout_us: int


async def read_request(headers: Mapping[bytes, bytes], body: bytes) -> InferRequest:
    """Reads a body; beside the event loop where its JSON is long.

    Args:
        headers: of the request.
        body: the whole.

    Raises:
        MalformedRequest: if it is not an inference request, or does not agree with itself.
    """
    length = _header_length(headers, len(body))
    if length == 0:  # Triton's "raw binary request"
        tensor = InputTensor(ENCODED, "BYTES", [1], [body])
        return InferRequest(None, [tensor], [], [], is_binary=False, timeout_us=0)
    if length is None and sniff(body) is not None:
        raise MalformedRequest(
            f"the body is an image; send it as an element of the input {ENCODED} (BYTES), or with"
            f" the header {HEADER_LENGTH}: 0"
        )
    text = body if length is None else body[:length]
    binary = None if length is None else memoryview(body)[length:]
    if len(text) > LONG_TEXT:
        return await asyncio.to_thread(_read, text, binary)
    return _read(text, binary)


def _read(text: bytes, binary: memoryview | None) -> InferRequest:
    head = read_large_document(_HEAD, text)
    parameters = head.get("parameters") or {}
    outputs = head.get("outputs") or []
    is_binary = _flag(parameters, "binary_data_output", default=False)
    return InferRequest(
        head.get("id") or None,
        _inputs(head["inputs"], binary),
        [asked_output(output["name"], output.get("parameters") or {}) for output in outputs],
        [_wants_binary(output, default=is_binary) for output in outputs],
        is_binary,
        whole(parameters, "timeout", "parameters"),
    )


def _header_length(headers: Mapping[bytes, bytes], size: int) -> int | None:
    value = headers.get(_HEADER_FIELD)
    if value is None:
        return None
    if not _LENGTH.fullmatch(value.strip()):
        raise MalformedRequest(f"{HEADER_LENGTH} is not a length in bytes")
    length = int(value)
    if length > size:
        raise MalformedRequest(f"{HEADER_LENGTH} is {length}, and the body has {size} bytes")
    return length


def _inputs(heads: Sequence[_Input], binary: memoryview | None) -> list[InputTensor]:
    tensors = []
    used = 0
    for head in heads:
        where = f"input {head['name'][:64]!r}"
        parameters = head.get("parameters") or {}
        check_not_shared(parameters, where)
        data = head.get("data")
        if "binary_data_size" not in parameters:
            if data is None:
                raise MalformedRequest(f"{where} has neither data nor binary_data_size")
            if not isinstance(data, list):
                raise MalformedRequest(f"{where}: data is not a list")
            content = _content(head, data, where)
        else:
            size = whole(parameters, "binary_data_size", where)
            if data is not None:
                raise MalformedRequest(f"{where} has both data and binary_data_size")
            if binary is None:
                raise MalformedRequest(f"{where} is binary, and there is no {HEADER_LENGTH}")
            if used + size > len(binary):
                raise MalformedRequest(
                    f"{where} takes {size} bytes, and {len(binary) - used} are left of the body"
                )
            content = binary[used : used + size]
            used += size
        tensors.append(InputTensor(head["name"], head["datatype"], head["shape"], content))
    if binary is not None and used < len(binary):
        raise MalformedRequest(f"{len(binary) - used} bytes of the body belong to no input")
    return tensors


def _content(head: _Input, data: list[Any], where: str) -> memoryview | list[bytes]:
    """The tensor that JSON holds, flat or in lists of lists."""
    values = _flat(data, head["shape"], where)
    if head["datatype"] == "BYTES":
        if set(map(type, values)) - {str}:
            raise MalformedRequest(f"{where}: BYTES in JSON are strings of base64")
        return [decode_image(text, f"{where}, element {i}") for i, text in enumerate(values)]
    if head["datatype"] != "UINT8":
        return memoryview(b"")  # is refused for its type
    if set(map(type, values)) - {int}:
        raise MalformedRequest(f"{where}: UINT8 are whole numbers")
    try:
        return memoryview(bytes(values))
    except ValueError:
        raise MalformedRequest(f"{where}: UINT8 are numbers from 0 to 255") from None


def _flat(data: list[Any], shape: Sequence[int], where: str) -> list[Any]:
    for size in shape[1:]:
        if not data or not isinstance(data[0], list):
            break
        if any(not isinstance(row, list) or len(row) != size for row in data):
            raise MalformedRequest(f"{where}: the lists of data are not of its shape")
        data = list(chain.from_iterable(data))
    return data


def _wants_binary(output: _Output, *, default: bool) -> bool:
    return _flag(output.get("parameters") or {}, "binary_data", default=default)


def _flag(parameters: Mapping[str, Any], name: str, *, default: bool) -> bool:
    value = parameters.get(name, default)
    if not isinstance(value, bool):
        raise MalformedRequest(f"parameters.{name} is neither true nor false")
    return value
