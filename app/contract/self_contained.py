"""Tells whether an ONNX file keeps all that it is made of in itself.

A digest of a file says nothing of the files that it points to. ONNX Runtime has no setting that
refuses such pointers, so they are looked for before it opens a file. The file is protocol buffers
(https://protobuf.dev/programming-guides/encoding) of the messages in ONNX's `onnx.proto`. Whatever
ONNX Runtime might follow counts, wherever it stands: of a field that occurs again each occurrence,
and not only the last one, which is the one that a decoder keeps.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from app.contract.errors import ConfigurationError

# Which fields of a message hold further messages that can hold tensors or nodes.
_CHILDREN: Mapping[str, Mapping[int, str]] = MappingProxyType(
    {
        "model": {7: "graph", 20: "training", 25: "function"},
        "training": {1: "graph", 2: "graph"},
        "graph": {1: "node", 5: "tensor", 15: "sparse"},
        "function": {7: "node", 11: "attribute"},
        "node": {5: "attribute"},
        "attribute": {
            5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse",
        },
        "sparse": {1: "tensor", 2: "tensor"},
        "tensor": {},
    }
)  # fmt: skip
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_FIXED_SIZES = {_FIXED64: 8, _FIXED32: 4}
_TENSOR_NAME, _EXTERNAL_DATA, _DATA_LOCATION = 8, 13, 14
_OP_TYPE, _ATTRIBUTE, _ATTRIBUTE_NAME, _ATTRIBUTE_INT = 4, 5, 1, 3
# ONNX Runtime's node for a compiled network: in the file itself if the attribute is 1, else in a
# file whose path it holds.
_COMPILED, _IS_EMBEDDED = b"EPContext", b"embed_mode"
_LONGEST_TAG, _LONGEST_VARINT = 5, 10


class _Malformed(Exception):
    """The bytes are not an ONNX file."""


class _Field(NamedTuple):
    """One field of a message: a number, or the range of its bytes."""

    number: int
    wire_type: int
    value: int
    start: int
    end: int


def check_self_contained(data: bytes, path: Path, pause: Callable[[], None] = lambda: None) -> None:
    """Refuses a file that needs other files.

    Args:
        data: the whole ONNX file.
        path: where it lies, for the error.
        pause: called between its messages, thousands of times; may let other threads run.

    Raises:
        ConfigurationError: if a tensor or a compiled network lies in another file, or if the bytes
            are not an ONNX file.
    """
    try:
        what = _found_outside(data, pause)
    except _Malformed as error:
        raise ConfigurationError(
            "model_repository", f"{path} is not an ONNX file ({error})", "export the model again"
        ) from error
    if what is not None:
        raise ConfigurationError(
            "model_repository",
            f"{path} keeps {what} in another file, which its digest does not cover",
            "save the model as one file, without external data, or export it again",
        )


def _found_outside(data: bytes, pause: Callable[[], None]) -> str | None:
    """What lies outside of the file, in words; None if nothing does."""
    pending = [("model", 0, len(data))]
    while pending:
        pause()
        kind, start, end = pending.pop()
        fields = list(_fields(data, start, end))
        if kind == "tensor" and any(
            field.number == _EXTERNAL_DATA or (field.number == _DATA_LOCATION and field.value)
            for field in fields
        ):
            names = _texts(data, fields, _TENSOR_NAME)
            return f"the tensor {(names or [b''])[-1].decode(errors='replace')!r}"
        if (
            kind == "node"
            and _COMPILED in _texts(data, fields, _OP_TYPE)
            and not _is_embedded(data, fields)
        ):
            return "a compiled network"
        children = _CHILDREN[kind]
        pending += [
            (children[field.number], field.start, field.end)
            for field in fields
            if field.wire_type == _BYTES and field.number in children
        ]
    return None


def _is_embedded(data: bytes, node: list[_Field]) -> bool:
    """Whether a compiled network says that it is in the file, and nothing else."""
    values = [
        field.value
        for attribute in node
        if attribute.number == _ATTRIBUTE and attribute.wire_type == _BYTES
        for fields in [list(_fields(data, attribute.start, attribute.end))]
        if _IS_EMBEDDED in _texts(data, fields, _ATTRIBUTE_NAME)
        for field in fields
        if field.number == _ATTRIBUTE_INT and field.wire_type == _VARINT
    ]
    return bool(values) and all(value == 1 for value in values)


def _texts(data: bytes, fields: list[_Field], number: int) -> list[bytes]:
    return [
        data[field.start : field.end]
        for field in fields
        if field.number == number and field.wire_type == _BYTES
    ]


def _fields(data: bytes, at: int, end: int) -> Iterator[_Field]:
    """The fields of the message in `data[at:end]`.

    Raises:
        _Malformed: if it is none. Groups count as that: ONNX has none.
    """
    while at < end:
        tag, at = _varint(data, at, end, _LONGEST_TAG)
        number, wire_type = (tag & 0xFFFFFFFF) >> 3, tag & 7
        value = 0
        start = at
        if wire_type == _VARINT:
            value, at = _varint(data, at, end, _LONGEST_VARINT)
        elif wire_type == _BYTES:
            size, start = _varint(data, at, end, _LONGEST_TAG)
            at = start + size
        elif wire_type in _FIXED_SIZES:
            at += _FIXED_SIZES[wire_type]
        else:
            raise _Malformed(f"wire type {wire_type} at byte {start}")
        if not number or at > end:
            raise _Malformed(f"field {number} at byte {start}")
        yield _Field(number, wire_type, value, start, at)


def _varint(data: bytes, at: int, end: int, longest: int) -> tuple[int, int]:
    """A number of at most so many bytes, and where it ends."""
    value = 0
    for shift in range(0, 7 * longest, 7):
        if at >= end:
            break
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise _Malformed(f"number at byte {at}")
