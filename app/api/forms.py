"""The three request forms of `POST /classify`, read into one list of images."""

import asyncio
import base64
import binascii
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated, NotRequired

from pydantic import FailFast, TypeAdapter, ValidationError
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import Request
from typing_extensions import TypedDict

from app.errors import MalformedRequest, TooManyImages, UnsupportedMediaType

_MAX_NAME_LENGTH = 255
# A value of two bytes of JSON takes a hundred bytes and more of memory when parsed.
_MAX_JSON_VALUES = 500_000


@dataclass(frozen=True, slots=True)
class Upload:
    """One image as it came.

    Attributes:
        name: the client's name for it, if any.
        data: the encoded image.
    """

    name: str | None
    data: bytes


class JsonImage(TypedDict):
    """An image in a JSON request: base64, or a `data:` URI that holds base64."""

    data: str
    name: NotRequired[str | None]


class JsonImages(TypedDict):
    """A JSON request."""

    images: Annotated[list[JsonImage], FailFast()]


# Building it takes a thousand times as long as using it.
_JSON_IMAGES = TypeAdapter(JsonImages)


async def read_uploads(request: Request, max_images: int) -> list[Upload]:
    """Reads a request's images, whichever form it has.

    Args:
        request: the request; its body is consumed.
        max_images: most images.

    Returns:
        At least one upload, in the order they came.

    Raises:
        UnsupportedMediaType: if the content type is none of the three forms'.
        MalformedRequest: if the body is not what its content type says, or holds no image.
        TooManyImages: if there are more than `max_images`.
    """
    encoding = request.headers.get("content-encoding", "identity")
    if encoding.strip().lower() != "identity":
        raise UnsupportedMediaType(f"content encoding {encoding!r}; send the body as it is")
    header = request.headers.get("content-type", "")
    kind = header.partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        _, parameters = parse_options_header(header)
        uploads = await _read_multipart(request.stream(), parameters.get(b"boundary"), max_images)
    elif kind == "application/json":
        uploads = await _read_json(await request.body(), max_images)
    elif kind.startswith("image/") or kind == "application/octet-stream":
        data = await request.body()
        uploads = [Upload(None, data)] if data else []
    else:
        raise UnsupportedMediaType(
            f"{kind or 'no content type'}; send the image's bytes as image/* or"
            " application/octet-stream, several as multipart/form-data, or application/json"
        )
    if not uploads:
        raise MalformedRequest("the request holds no image")
    return uploads


async def _read_multipart(
    stream: AsyncIterator[bytes], boundary: bytes | None, max_images: int
) -> list[Upload]:
    """Every part is an image. Parts stay in memory: the body is bounded, disks may be read-only."""
    if not boundary:
        raise MalformedRequest("multipart/form-data without a boundary")
    parts = _Parts(max_images)
    try:
        parser = MultipartParser(boundary, parts.callbacks())  # type: ignore[arg-type]  # a TypedDict there
        async for chunk in stream:
            parser.write(chunk)
    except FormParserError as error:
        raise MalformedRequest(f"not multipart/form-data: {error}") from error
    if not parts.complete:
        raise MalformedRequest("the multipart body ends before its closing boundary")
    return parts.uploads


class _Parts:
    """Collects parts from the parser's callbacks."""

    def __init__(self, max_images: int) -> None:
        self.uploads: list[Upload] = []
        self.complete = False
        self._max_images = max_images
        self._field = b""
        self._value = b""
        self._disposition = b""
        self._data = bytearray()

    def callbacks(self) -> dict[str, object]:
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._on_field,
            "on_header_value": self._on_value,
            "on_header_end": self._on_header_end,
            "on_part_data": self._on_data,
            "on_part_end": self._end,
            "on_end": self._on_end,
        }

    def _begin(self) -> None:
        if len(self.uploads) == self._max_images:
            raise _too_many(self._max_images)
        self._disposition = b""
        self._data = bytearray()

    def _on_field(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]

    def _on_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _on_header_end(self) -> None:
        if self._field.lower() == b"content-disposition":
            self._disposition = self._value
        self._field = self._value = b""

    def _on_data(self, data: bytes, start: int, end: int) -> None:
        self._data += memoryview(data)[start:end]

    def _end(self) -> None:
        _, parameters = parse_options_header(self._disposition)
        name = parameters.get(b"filename", b"").decode("utf-8", "replace")
        self.uploads.append(Upload(name[:_MAX_NAME_LENGTH] or None, bytes(self._data)))

    def _on_end(self) -> None:
        self.complete = True


async def _read_json(body: bytes, max_images: int) -> list[Upload]:
    if body.count(b",") >= _MAX_JSON_VALUES:
        raise MalformedRequest(f"more than {_MAX_JSON_VALUES} JSON values")
    try:
        items = _JSON_IMAGES.validate_json(body)["images"]
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "body"
        raise MalformedRequest(f"{where}: {first['msg']}") from error
    if len(items) > max_images:
        raise _too_many(max_images)
    uploads = []
    for index, item in enumerate(items):
        name = (item.get("name") or "")[:_MAX_NAME_LENGTH] or None
        uploads.append(Upload(name, _decode(index, item["data"])))
        # Megabytes of base64 hold the event loop up; others get their turn between the images.
        await asyncio.sleep(0)
    return uploads


def _decode(index: int, text: str) -> bytes:
    if text.startswith("data:"):
        head, _, text = text.partition(",")
        if not head.endswith(";base64"):
            raise MalformedRequest(f"images.{index}.data: a data: URI must hold base64")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise MalformedRequest(f"images.{index}.data: not base64") from error


def _too_many(max_images: int) -> TooManyImages:
    return TooManyImages(f"at most {max_images} images are accepted in one request")
