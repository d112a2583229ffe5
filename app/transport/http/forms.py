"""The three request forms of `POST /classify`, read into one list of images."""

from collections.abc import Mapping

from app.contract.errors import MalformedRequest, UnsupportedMediaType
from app.transport.http.form_images import OCTETS, read_form
from app.transport.http.json_images import read_json
from app.transport.http.request_body import Body
from app.transport.http.uploads import Upload

FORM = "multipart/form-data"
JSON = "application/json"


async def read_uploads(headers: Mapping[bytes, bytes], body: Body, max_images: int) -> list[Upload]:
    """Reads a request's images, whichever form it has.

    Args:
        headers: of the request.
        body: of the request; it is consumed.
        max_images: most images.

    Returns:
        At least one upload, in the order they came.

    Raises:
        UnsupportedMediaType: if the content type is none of the three forms'.
        MalformedRequest: if the body is not what its content type says, or holds no image.
        TooManyImages: if there are more than `max_images`.
    """
    kind = media_type(headers)
    if kind == FORM:
        header = headers[b"content-type"].decode("latin-1")
        uploads = await read_form(body, header, max_images)
    elif kind == JSON:
        uploads = await read_json(await body.read(), max_images)
    elif is_image(kind):
        data = await body.read()
        uploads = [Upload(None, data)] if data else []
    else:
        raise UnsupportedMediaType(
            f"{kind or 'no content type'}; send the image's bytes as image/* or"
            " application/octet-stream, several as multipart/form-data, or application/json;"
            " images are not fetched from URLs"
        )
    if not uploads:
        raise MalformedRequest("the request holds no image")
    return uploads


def is_image(media_type: str) -> bool:
    """Whether a body of this type is one image's bytes."""
    return media_type.startswith("image/") or media_type in OCTETS


def media_type(headers: Mapping[bytes, bytes]) -> str:
    """The type of a body, in lower case and without parameters; empty if it says none.

    Raises:
        UnsupportedMediaType: if the body is compressed.
    """
    encoding = headers.get(b"content-encoding", b"identity").decode("latin-1")
    if encoding.strip().lower() != "identity":
        raise UnsupportedMediaType(f"content encoding {encoding!r}; send the body as it is")
    header = headers.get(b"content-type", b"").decode("latin-1")
    return header.partition(";")[0].strip().lower()
