"""Small JSON bodies, of requests that change something."""

import asyncio
from typing import TypeVar

from fastapi import Request
from pydantic import TypeAdapter, ValidationError

from app.contract.errors import BodyTimeout, BodyTooLarge, InvalidParameter, MalformedRequest
from app.pace import Pace

Content = TypeVar("Content")

_MOST_BYTES = 16 * 1024


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
        InvalidParameter: if it is something else than `content`.
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
    try:
        return content.validate_json(bytes(data) or nothing)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        if first["type"] == "json_invalid":
            raise MalformedRequest(f"the body is not valid JSON: {first['msg']}") from error
        where = ".".join(str(part) for part in first["loc"]) or "the body"
        raise InvalidParameter(f"{where[:80]}: {first['msg']}") from error
