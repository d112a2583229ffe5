"""EXIF orientation: how the stored pixels are turned upright (EXIF 2.32, section 4.6.4)."""

from dataclasses import dataclass

from PIL import Image

from app.contract.geometry import Box, Size

_EXIF_ORIENTATION = 0x0112


@dataclass(frozen=True)
class Orientation:
    """The way from the stored photo to the upright one.

    Attributes:
        transposition: what makes the stored photo upright; None if it is already.
        swaps: whether width and height change places.
        mirrors_x: whether the upright photo's x counts from the other end of the stored axis.
        mirrors_y: the same of its y.
    """

    transposition: Image.Transpose | None = None
    swaps: bool = False
    mirrors_x: bool = False
    mirrors_y: bool = False

    def turned(self, size: Size) -> Size:
        """The stored size of an upright one, and the reverse."""
        return (size[1], size[0]) if self.swaps else size

    def stored(self, box: Box, size: Size) -> Box:
        """Where a region of the upright photo, whose size is `size`, lies in the stored one."""
        left, top, right, bottom = box
        if self.mirrors_x:
            left, right = size[0] - right, size[0] - left
        if self.mirrors_y:
            top, bottom = size[1] - bottom, size[1] - top
        return (top, left, bottom, right) if self.swaps else (left, top, right, bottom)

    def upright(self, image: Image.Image) -> Image.Image:
        """Turns stored pixels."""
        return image if self.transposition is None else image.transpose(self.transposition)


UPRIGHT = Orientation()
_ORIENTATIONS = {
    2: Orientation(Image.Transpose.FLIP_LEFT_RIGHT, mirrors_x=True),
    3: Orientation(Image.Transpose.ROTATE_180, mirrors_x=True, mirrors_y=True),
    4: Orientation(Image.Transpose.FLIP_TOP_BOTTOM, mirrors_y=True),
    5: Orientation(Image.Transpose.TRANSPOSE, swaps=True),
    6: Orientation(Image.Transpose.ROTATE_270, swaps=True, mirrors_x=True),
    7: Orientation(Image.Transpose.TRANSVERSE, swaps=True, mirrors_x=True, mirrors_y=True),
    8: Orientation(Image.Transpose.ROTATE_90, swaps=True, mirrors_y=True),
}


def read_orientation(image: Image.Image) -> Orientation:
    """What the photo's EXIF says; upright where it says nothing that can be read."""
    try:
        return _ORIENTATIONS.get(int(image.getexif().get(_EXIF_ORIENTATION, 1)), UPRIGHT)
    except Exception:  # noqa: BLE001 - corrupt metadata does not make the pixels unusable
        return UPRIGHT
