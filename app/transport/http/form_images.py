"""The images of a form (`multipart/form-data`, RFC 7578)."""

import asyncio
import binascii
from collections.abc import Callable, Mapping
from types import MappingProxyType

from app.contract.decoding import sniff
from app.contract.errors import MalformedRequest, TooManyImages
from app.transport.http.base64_text import decode_base64
from app.transport.http.header_parameters import file_name, parameters
from app.transport.http.json_text import LONG_TEXT
from app.transport.http.multipart import Part, split_parts
from app.transport.http.request_body import Body
from app.transport.http.uploads import Upload

OCTETS = frozenset({"application/octet-stream", "binary/octet-stream"})
# Browsers and frameworks send a few of their own: tokens, buttons, captions.
_MOST_FIELDS = 100
_AS_IT_IS = frozenset({"", "binary", "8bit", "7bit"})
_DECODERS: Mapping[str, Callable[[memoryview], bytes]] = MappingProxyType(
    {"base64": decode_base64, "quoted-printable": binascii.a2b_qp}
)


async def read_form(body: Body, content_type: str, max_images: int) -> list[Upload]:
    """Reads the images of a form; its text fields are ignored.

    Parts stay in memory: the body is bounded, disks may be read-only.

    Args:
        body: is charged with more where parts are encoded.
        content_type: names the boundary.
        max_images: most images.

    Raises:
        MalformedRequest: if the body is not a form, or holds text fields only.
        Overloaded: if there is no memory for decoding it.
        TooManyImages: if there are more than `max_images`, or absurdly many text fields.
    """
    boundary = parameters(content_type).get("boundary")
    if not boundary:
        raise MalformedRequest("multipart/form-data without a boundary")
    pieces = await body.pieces()
    uploads: list[Upload] = []
    fields = 0
    for number, part in enumerate(split_parts(pieces, boundary), start=1):
        upload = _image(part, number, await _decoded(part, number, body))
        if upload:
            uploads.append(upload)
        else:
            fields += 1
        if len(uploads) > max_images or fields > _MOST_FIELDS:
            raise TooManyImages(
                f"at most {max_images} images and {_MOST_FIELDS} text fields are accepted in one"
                " request"
            )
        # Others get their turn between the images.
        await asyncio.sleep(0)
    if fields and not uploads:
        raise MalformedRequest(
            "the form holds no image but text fields; send the image's bytes as a file, for"
            " images are not fetched from URLs"
        )
    return uploads


def _image(part: Part, number: int, data: bytes) -> Upload | None:
    """The image in a part, or None if it is a text field or a file field left empty."""
    disposition = parameters(part.fields.get("content-disposition", ""))
    name = file_name(disposition)
    kind = part.fields.get("content-type", "").partition(";")[0].strip().lower()
    if kind.startswith("multipart/"):
        raise MalformedRequest(f"part {number} is {kind}; send each image as a part of its own")
    if name is None and not (kind.startswith("image/") or kind in OCTETS or sniff(data)):
        return None
    if name == "" and not data:
        return None
    return Upload.named(name, data)


async def _decoded(part: Part, number: int, body: Body) -> bytes:
    """A part's data without its transfer encoding (RFC 2045, section 6).

    It is removed beside the event loop where that takes long.
    """
    encoding = part.fields.get("content-transfer-encoding", "").lower()
    if encoding in _AS_IT_IS:
        return bytes(part.data)
    decode = _DECODERS.get(encoding)
    if decode is None:
        raise MalformedRequest(f"part {number} is in the transfer encoding {encoding!r}")
    try:
        if len(part.data) > LONG_TEXT:
            body.hold_decoding()
            return await asyncio.to_thread(decode, part.data)
        return decode(part.data)
    except ValueError as error:
        raise MalformedRequest(f"part {number}: {error}") from error
