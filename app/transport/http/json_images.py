"""The images of a JSON request."""

from typing import Annotated, NotRequired

from pydantic import FailFast, TypeAdapter
from typing_extensions import TypedDict

from app.contract.errors import TooManyImages
from app.transport.http.json_text import decode_image_aside, read_document
from app.transport.http.uploads import Upload


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
    items = read_document(_JSON_IMAGES, body)["images"]
    if len(items) > max_images:
        raise TooManyImages(f"at most {max_images} images are accepted in one request")
    names = [item.get("name") for item in items]
    texts = [item["data"] for item in items]
    del body, items  # each text is forgotten as soon as it is decoded
    uploads = []
    for index, name in enumerate(names):
        text, texts[index] = texts[index], ""
        data = await decode_image_aside(text, f"images.{index}.data")
        uploads.append(Upload.named(name, data))
    return uploads
