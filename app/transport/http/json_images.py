"""The images of a JSON request."""

import asyncio
import re
from typing import Annotated, NotRequired

from pydantic import FailFast, TypeAdapter, ValidationError
from typing_extensions import TypedDict

from app.contract.errors import MalformedRequest, TooManyImages
from app.transport.http.base64_text import decode_base64
from app.transport.http.uploads import Upload

# A value of two bytes of JSON takes a hundred bytes and more of memory when parsed.
_MAX_JSON_VALUES = 500_000
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_NOT_FETCHED = "images are not fetched by address; send their bytes, in base64, as `data`"
# Base64 has no colon; `blob:`, `file:` and `cid:` need no slashes.
_ADDRESS = re.compile(r"(?!data:)([a-z][a-z0-9+.-]{1,30}):", re.IGNORECASE)
_NAMES_AN_ADDRESS = re.compile(
    rb'"(?:\w+_)?ur[il]s?"\s*:|"(?:blob:|[a-z][a-z0-9+.-]*://)', re.IGNORECASE
)
# What stands before the first character and after it (RFC 4627, section 3).
_OTHER_ENCODINGS = {
    "UTF-32": re.compile(rb"\xff\xfe\0\0|\0\0\xfe\xff|\0\0\0[^\0]|[^\0]\0\0\0"),
    "UTF-16": re.compile(rb"\xff\xfe|\xfe\xff|\0[^\0]|[^\0]\0"),
}
_DATA_URI = re.compile(r"data:([^,]{0,256}),", re.IGNORECASE)

# What a URI may escape of base64.
_ESCAPES = {"%2B": "+", "%2F": "/", "%3D": "=", "%0D": "", "%0A": "", "%20": ""}


class JsonImage(TypedDict):
    """An image in a JSON request: base64, or a `data:` URI that holds base64."""

    data: str
    name: NotRequired[str | None]


class JsonImages(TypedDict):
    """A JSON request."""

    images: Annotated[list[JsonImage], FailFast()]


# Building it takes a thousand times as long as using it.
_JSON_IMAGES = TypeAdapter(JsonImages)


async def read_json(body: bytes, max_images: int) -> list[Upload]:
    """Reads `{"images": [{"data": "<base64 or data: URI>", "name": "optional"}]}`.

    Raises:
        MalformedRequest: if the body is something else, or an image is not base64.
        TooManyImages: if there are more than `max_images`.
    """
    # RFC 8259, section 8.1: a mark may be ignored, and no other encoding is JSON.
    body = body.removeprefix(_BYTE_ORDER_MARK)
    for encoding, beginning in _OTHER_ENCODINGS.items():
        if beginning.match(body):
            raise MalformedRequest(f"the JSON is in {encoding}; send it in UTF-8")
    if body.count(b",") >= _MAX_JSON_VALUES:
        raise MalformedRequest(f"more than {_MAX_JSON_VALUES} JSON values")
    try:
        items = _JSON_IMAGES.validate_json(body)["images"]
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "body"
        hint = f" ({_NOT_FETCHED})" if _NAMES_AN_ADDRESS.search(body[:4096]) else ""
        raise MalformedRequest(f"{where}: {first['msg']}{hint}") from error
    if len(items) > max_images:
        raise TooManyImages(f"at most {max_images} images are accepted in one request")
    names = [item.get("name") for item in items]
    texts = [item["data"] for item in items]
    del body, items  # each text is forgotten as soon as it is decoded
    uploads = []
    for index, name in enumerate(names):
        text, texts[index] = texts[index], ""
        uploads.append(Upload.named(name, _decode(index, text)))
        # Megabytes of base64 hold the event loop up; others get their turn between the images.
        await asyncio.sleep(0)
    return uploads


def _decode(index: int, text: str) -> bytes:
    # Editors put a mark before a text, and people a line break.
    text = text.lstrip("\ufeff \t\r\n")
    uri = _DATA_URI.match(text)
    if uri:
        text = text[uri.end() :]
        # RFC 2397: names are case-insensitive, and what follows is a part of a URI.
        if not uri[1].rstrip().lower().endswith(";base64"):
            raise MalformedRequest(f"images.{index}.data: a data: URI must hold base64")
        for escape, character in _ESCAPES.items() if "%" in text else ():
            text = text.replace(escape, character).replace(escape.lower(), character)
    elif address := _ADDRESS.match(text):
        raise MalformedRequest(
            f"images.{index}.data: an address ({address[1].lower()}:); {_NOT_FETCHED}"
        )
    try:
        return decode_base64(text)
    except ValueError as error:
        raise MalformedRequest(f"images.{index}.data: {error}") from error
