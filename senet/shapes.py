"""How many photos are not square: on square ones nothing shows of what the crop does."""

from collections.abc import Iterable
from pathlib import Path

from PIL import Image
from pydantic import BaseModel, ConfigDict


class Shapes(BaseModel):
    """Photos that something was measured on."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    purpose: str
    """What was measured on them."""
    photos: int
    not_square: int
    """How many of them are not square."""

    def __str__(self) -> str:
        return f"{self.not_square:,} of {self.photos:,} photos for {self.purpose} are not square"


def shapes_of(purpose: str, files: Iterable[Path]) -> Shapes:
    """Counts by the files' headers.

    Args:
        purpose: see `Shapes`.
        files: photos that have been decoded before.
    """
    sizes = [_size(path) for path in files]
    return Shapes(
        purpose=purpose,
        photos=len(sizes),
        not_square=sum(width != height for width, height in sizes),
    )


def warnings_on(shapes: Iterable[Shapes]) -> list[str]:
    """A sentence on those that hold square photos only, if there are any."""
    square = [seen.purpose for seen in shapes if not seen.not_square]
    warning = (
        f"Warning: all photos for {', '.join(square)} are square. Nothing was measured of how"
        " photos of other shapes are resized and cropped."
    )
    return [warning] if square else []


def _size(path: Path) -> tuple[int, int]:
    with Image.open(path) as image:
        return image.size
