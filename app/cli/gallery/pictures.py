"""A photo and its maps, small enough to stand in a page."""

import base64
from dataclasses import dataclass
from io import BytesIO

from PIL import Image

from app.cli.gallery.classifier import FileClassifier
from app.cli.gallery.judged import Judged
from app.contract.errors import ImageError
from app.contract.oriented_photo import oriented_photo
from app.contract.overlay import overlay

_LONGEST = 256
_QUALITY = 82
_OPACITY = 0.7


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of a photo.

    Attributes:
        uri: `data:image/jpeg;base64,...`.
        width: in pixels.
        height: in pixels.
        map_of: index of the class whose map lies over it; None for the photo alone.
    """

    uri: str
    width: int
    height: int
    map_of: int | None = None


def draw(classifier: FileClassifier, judged: Judged) -> list[Picture]:
    """The photo, the map of its best class and, if that is a mistake, of its true one.

    Returns:
        Nothing if the file has changed so that it cannot be drawn any more.
    """
    preprocessing = classifier.loaded.model.manifest.preprocessing
    try:
        data = classifier.bytes_of(judged.path)
        seen = classifier.input_of(data)
        photo = oriented_photo(data, preprocessing, _LONGEST, max_pixels=classifier.max_pixels)
    except (ImageError, OSError):
        return []
    pictures = [_picture(Image.fromarray(photo.pixels))]
    maps = classifier.maps(seen)
    if maps is not None:
        chosen = [judged.best[0].class_index]
        if judged.is_mistake and judged.truth is not None:
            chosen.append(judged.truth)
        pictures += [
            _picture(overlay(photo, maps[index], seen.crop, _OPACITY), index) for index in chosen
        ]
    return pictures


def _picture(image: Image.Image, map_of: int | None = None) -> Picture:
    buffer = BytesIO()
    image.save(buffer, "JPEG", quality=_QUALITY)
    uri = f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
    return Picture(uri, image.width, image.height, map_of)
