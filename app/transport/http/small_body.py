"""Small JSON bodies, of requests that change something."""

import asyncio
from typing import TypeVar

from fastapi import Request
from pydantic import TypeAdapter, ValidationError

from app.contract.errors import BodyTimeout, BodyTooLarge, InvalidParameter, MalformedRequest
from app.contract.repeated_keys import repeated_key
from app.contract.strict import first_fault
from app.pace import Pace

Content = TypeVar("Content")

_MOST_BYTES = 16 * 1024
# RFC 8259, section 8.1: it may be ignored.
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


async def read_small(
    request: Request,
    content: TypeAdapter[Content],
    pace: Pace,
    nothing: bytes = b"",
    *,
    most_bytes: int = _MOST_BYTES,
) -> Content:
    """Reads a request's body.

    Args:
        request: the request.
        content: what it must be.
        pace: how slowly it may come.
        nothing: the JSON that an empty body stands for.
        most_bytes: how large it may be; 16 KiB unless said otherwise.

    Raises:
        BodyTooLarge: if it is larger.
        BodyTimeout: if it comes too slowly.
        MalformedRequest: if it is not valid JSON.
        InvalidParameter: if it is something else than `content`, or a key stands twice in it.
        ClientDisconnect: if the client leaves before its end.
    """
    data = bytearray()
    try:
        async with asyncio.timeout(pace.seconds(most_bytes)):
            async for piece in request.stream():
                data += piece
                if len(data) > most_bytes:
                    raise BodyTooLarge(f"at most {most_bytes} bytes are accepted here")
    except TimeoutError:
        raise BodyTimeout(f"only {len(data)} bytes of the body came") from None
    text = bytes(data).removeprefix(_BYTE_ORDER_MARK) or nothing
    try:
        read = content.validate_json(text)
    except ValidationError as error:
        told = first_fault(error, "the body")
        if error.errors(include_url=False)[0]["type"] == "json_invalid":
            raise MalformedRequest(told) from error
        raise InvalidParameter(told) from error
    if (key := repeated_key(text)) is not None:
        raise InvalidParameter(f"{key[:80]}: stands twice in one object of the body")
    return read
