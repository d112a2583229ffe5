"""Requests of instances: TensorFlow Serving's, KServe's first protocol's and Vertex AI's."""

from typing import Annotated, Any, NotRequired

from pydantic import FailFast, TypeAdapter
from typing_extensions import TypedDict

from app.contract.errors import MalformedRequest, TooManyImages
from app.transport.http.json_text import decode_image_aside, read_document

# Names that examples of these servers give an image whose value is base64 itself.
_TEXTS = ("b64", "content", "data")
_EXPECTED = 'an instance is {"b64": "<base64>"}, or has one member of that form'


class Instances(TypedDict):
    """The body."""

    instances: Annotated[list[Any], FailFast()]
    parameters: NotRequired[dict[str, Any] | None]
    signature_name: NotRequired[str | None]


_INSTANCES = TypeAdapter(Instances)


def read_instances(text: bytes) -> Instances:
    """Reads the JSON of a body.

    Raises:
        MalformedRequest: if it is something else.
    """
    return read_document(_INSTANCES, text)


async def images_of(document: Instances, max_images: int) -> list[bytes]:
    """The images of the instances, in order; the document forgets them.

    Raises:
        MalformedRequest: if an instance holds no image, or several.
        TooManyImages: if there are more than `max_images`.
    """
    instances = document["instances"]
    if len(instances) > max_images:
        raise TooManyImages(f"at most {max_images} images are accepted in one request")
    images = []
    for index, instance in enumerate(instances):
        where = f"instances.{index}"
        text = _text(instance, where)
        instances[index] = instance = None
        images.append(await decode_image_aside(text, where))
    return images


def _text(instance: object, where: str) -> str:
    """The base64 of an instance; what else it holds is the client's own."""
    if isinstance(instance, str):
        return instance
    if not isinstance(instance, dict):
        raise MalformedRequest(f"{where}: {_EXPECTED}")
    found = [instance[name] for name in _TEXTS if name in instance]
    found += [
        value["b64"] for value in instance.values() if isinstance(value, dict) and "b64" in value
    ]
    if len(found) != 1 or not isinstance(found[0], str):
        raise MalformedRequest(f"{where} holds {len(found)} images; {_EXPECTED}")
    return found[0]
