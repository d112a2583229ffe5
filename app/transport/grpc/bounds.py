"""How much an inference request may hold, looked at before it is parsed.

Two bytes of a message can become a hundred when it is parsed, and a number of one byte eight. What
a photo or a tensor in `raw_input_contents` takes is as much as it weighs.
"""

from collections.abc import Mapping

from app.contract.errors import MalformedRequest

_Fields = Mapping[int, "_Fields"]

_LEAF: _Fields = {}
_PARAMETERS: _Fields = {2: _LEAF}
# Which fields are messages: `parameters`, `inputs` with `contents`, and `outputs`.
_REQUEST: _Fields = {
    4: _PARAMETERS,
    5: {4: _PARAMETERS, 5: _LEAF},
    6: {2: _PARAMETERS},
}
_SHAPE = (5, 3)
_CONTENTS = (5, 5)
_BYTES_CONTENTS = 8

# As many as a request of JSON may hold.
_MAX_NUMBER_BYTES = 500_000
_FIELDS_PER_IMAGE = 4
_MORE_FIELDS = 1000

_VARINT, _FIXED_64, _LENGTH, _FIXED_32 = 0, 1, 2, 5
_BROKEN = "the message is not a ModelInferRequest"


def check_fields(message: bytes, max_images: int) -> None:
    """Refuses a message that would take many times its size.

    Args:
        message: a `ModelInferRequest` in protobuf's encoding.
        max_images: most images in one request.

    Raises:
        MalformedRequest: if it has too many fields, or numbers, or is not a message.
    """
    _Walk(_MORE_FIELDS + _FIELDS_PER_IMAGE * max_images).message(memoryview(message), _REQUEST, ())


class _Walk:
    def __init__(self, max_fields: int) -> None:
        self._max_fields = self._fields_left = max_fields
        self._number_bytes = 0

    def message(self, data: memoryview, known: _Fields, path: tuple[int, ...]) -> None:
        at = 0
        while at < len(data):
            self._fields_left -= 1
            if self._fields_left < 0:
                raise MalformedRequest(f"the message has more than {self._max_fields} fields")
            tag, at = _varint(data, at)
            number, kind = tag >> 3, tag & 7
            begin, at = _extent(data, at, kind)
            if kind != _LENGTH:
                continue
            is_shape = (*path, number) == _SHAPE
            if is_shape or (path == _CONTENTS and number != _BYTES_CONTENTS):
                self._count_numbers(at - begin)
            elif number in known:
                self.message(data[begin:at], known[number], (*path, number))

    def _count_numbers(self, size: int) -> None:
        self._number_bytes += size
        if self._number_bytes > _MAX_NUMBER_BYTES:
            raise MalformedRequest(
                f"the contents of the inputs take more than {_MAX_NUMBER_BYTES} bytes as numbers;"
                " send tensors in raw_input_contents"
            )


def _extent(data: memoryview, at: int, kind: int) -> tuple[int, int]:
    """Where a field's value begins and ends."""
    if kind == _LENGTH:
        size, at = _varint(data, at)
        end = at + size
    elif kind == _VARINT:
        _, end = _varint(data, at)
    elif kind in (_FIXED_32, _FIXED_64):
        end = at + (4 if kind == _FIXED_32 else 8)
    else:
        raise MalformedRequest(_BROKEN)
    if end > len(data):
        raise MalformedRequest(_BROKEN)
    return at, end


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    for byte in data[at : at + 10]:
        value |= (byte & 0x7F) << shift
        at += 1
        if byte < 0x80:
            return value, at
        shift += 7
    raise MalformedRequest(_BROKEN)
