"""JSON as senders write it, read within bounds."""

import asyncio
import re
from typing import TypeVar

import orjson
from pydantic import TypeAdapter, ValidationError

from app.contract.errors import MalformedRequest
from app.contract.strict import first_fault
from app.transport.http.base64_text import decode_base64

# A value of two bytes of JSON takes a hundred bytes and more of memory when parsed.
_MAX_JSON_VALUES = 500_000
LONG_TEXT = 2**18
"""Reading more than so many bytes of JSON, or characters of base64, takes milliseconds."""

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_NOT_FETCHED = "images are not fetched from URLs; send their bytes, in base64"
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

Document = TypeVar("Document")


def read_document(kind: TypeAdapter[Document], text: bytes) -> Document:
    """Reads JSON of a known kind.

    Args:
        kind: what it must be.
        text: the JSON.

    Raises:
        MalformedRequest: if it is none, or another kind; the message tells where and why.
    """
    text = _bounded(text)
    try:
        return kind.validate_json(text)
    except ValidationError as error:
        raise _other_kind(error, text) from error


def read_large_document(kind: TypeAdapter[Document], text: bytes) -> Document:
    """The same for documents of many values, several times as fast: validated once it is parsed.

    Args:
        kind: what it must be; checks no value where there are many.
        text: the JSON.

    Raises:
        MalformedRequest: as `read_document`.
    """
    text = _bounded(text)
    try:
        return kind.validate_python(orjson.loads(text))
    except orjson.JSONDecodeError as error:
        raise MalformedRequest(f"body: Invalid JSON: {error}") from error
    except ValidationError as error:
        raise _other_kind(error, text) from error


def _bounded(text: bytes) -> bytes:
    """The JSON without a byte order mark, if it may be parsed."""
    # RFC 8259, section 8.1: a mark may be ignored, and no other encoding is JSON.
    text = text.removeprefix(_BYTE_ORDER_MARK)
    for encoding, beginning in _OTHER_ENCODINGS.items():
        if beginning.match(text):
            raise MalformedRequest(f"the JSON is in {encoding}; send it in UTF-8")
    if text.count(b",") >= _MAX_JSON_VALUES:
        raise MalformedRequest(f"more than {_MAX_JSON_VALUES} JSON values")
    return text


def _other_kind(error: ValidationError, text: bytes) -> MalformedRequest:
    hint = f" ({_NOT_FETCHED})" if _NAMES_AN_ADDRESS.search(text[:4096]) else ""
    return MalformedRequest(f"{first_fault(error, 'body')}{hint}")


def decode_image(text: str, where: str) -> bytes:
    """The image that a JSON string holds, in base64 or as a `data:` URI of base64.

    Args:
        text: the string.
        where: it stands, for the message.

    Raises:
        MalformedRequest: if it is neither.
    """
    # Editors put a mark before a text, and people a line break.
    text = text.lstrip("\ufeff \t\r\n")
    uri = _DATA_URI.match(text)
    if uri:
        text = text[uri.end() :]
        # RFC 2397: names are case-insensitive, and what follows is a part of a URI.
        if not uri[1].rstrip().lower().endswith(";base64"):
            raise MalformedRequest(f"{where}: a data: URI must hold base64")
        for escape, character in _ESCAPES.items() if "%" in text else ():
            text = text.replace(escape, character).replace(escape.lower(), character)
    elif address := _ADDRESS.match(text):
        raise MalformedRequest(f"{where}: a URL ({address[1].lower()}:); {_NOT_FETCHED}")
    try:
        return decode_base64(text)
    except ValueError as error:
        raise MalformedRequest(f"{where}: {error}") from error


async def decode_image_aside(text: str, where: str) -> bytes:
    """The same beside the event loop, where it takes long; others get their turn in any case."""
    if len(text) > LONG_TEXT:
        return await asyncio.to_thread(decode_image, text, where)
    await asyncio.sleep(0)
    return decode_image(text, where)
