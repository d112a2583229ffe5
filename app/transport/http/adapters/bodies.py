"""Bodies of one photo, or of JSON, whatever type their senders give them."""

from collections.abc import Mapping

from app.contract.decoding import sniff
from app.contract.errors import MalformedRequest, UnsupportedMediaType
from app.inference.visit import Visit
from app.settings import MEMORY_PER_BODY_BYTE
from app.transport.http.form_images import OCTETS
from app.transport.http.forms import media_type
from app.transport.http.request_body import RequestBody

_JSON = "application/json"
# SageMaker's own type for images; and what curl says of any data, and libraries of none.
_RAW = OCTETS | {"application/x-image"}
_UNTOLD = frozenset(("", "application/x-www-form-urlencoded"))
_JSON_BEGINS = (b"{", b"[")
_BEGINNING_BYTES = 64


async def read_photo_or_json(
    headers: Mapping[bytes, bytes], body: RequestBody, visit: Visit
) -> tuple[bytes, bool]:
    """Reads a body that is a photo or JSON.

    Args:
        headers: of the request.
        body: of the request; it is consumed.
        visit: is charged with what reading JSON takes.

    Returns:
        The body, and whether it is JSON.

    Raises:
        UnsupportedMediaType: if its type says that it is something else.
        MalformedRequest: if it is empty.
    """
    kind = media_type(headers)
    if not (kind == _JSON or kind in _UNTOLD or kind in _RAW or kind.startswith("image/")):
        raise UnsupportedMediaType(
            f"{kind}; send the photo's bytes as image/* or application/octet-stream, or JSON as"
            " application/json"
        )
    data = await body.read()
    if not data:
        raise MalformedRequest("the body is empty")
    beginning = data[:_BEGINNING_BYTES].lstrip()
    is_json = kind == _JSON or (kind in _UNTOLD and beginning.startswith(_JSON_BEGINS))
    if is_json:
        visit.hold(MEMORY_PER_BODY_BYTE * len(data))
    return data, is_json


async def read_json(headers: Mapping[bytes, bytes], body: RequestBody, visit: Visit) -> bytes:
    """Reads a body that can be nothing but JSON.

    Raises:
        UnsupportedMediaType: if it is compressed.
        MalformedRequest: if it is a photo.
    """
    media_type(headers)
    data = await body.read()
    visit.hold(MEMORY_PER_BODY_BYTE * len(data))
    if sniff(data) is not None:
        raise MalformedRequest("the body is an image; this route takes it as base64 in JSON")
    return data
