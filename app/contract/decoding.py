"""Opens an image without trusting it: what it costs is bounded before anything is decoded.

Pillow and its codecs bound neither their memory nor their time. A megabyte of progressive JPEG
can keep a core busy for minutes, and a WebP of a hundred kilobytes takes half a gigabyte.
"""

from io import BytesIO

from PIL import Image, ImageFile, UnidentifiedImageError

from app.contract.errors import ImageTooLarge, InvalidImage, UnsupportedImageFormat
from app.contract.image_files.avif import is_avif, read_avif
from app.contract.image_files.jpeg import read_jpeg
from app.contract.image_files.png import read_png
from app.contract.image_files.tiff import read_tiff
from app.contract.image_files.unended_jpeg import UnendedJpeg

# Decoders of these hold several copies of the picture. At so many pixels the hungriest kind of
# each (lossless WebP, AVIF of 4:4:4 with alpha, LZW TIFF) stays within 256 MiB.
_MOST_PIXELS = {"WEBP": 16_000_000, "AVIF": 16_000_000, "TIFF": 16_000_000}
# Pillow reads each piece of a file (chunk, marker, block, directory entry) by itself, in Python.
# A PNG of 32 MiB in chunks of the usual 8 KiB needs 12,000 reads.
_MOST_READS = 20_000
# What a decoder gets at a time. For each piece it gives the interpreter's lock away, and a thread
# that works beside others then waits for it; Pillow's own 64 KiB make two of the usual photo.
_PIECE_BYTES = 1 << 20
BYTES_PER_PIXEL = 12
"""What the hungriest decoders, and the conversions after them, hold at once."""

# Of each pixel of a baseline JPEG, which is decoded row by row, and of a progressive one, whose
# coefficients are all held until the last scan.
_BYTES_PER_JPEG_PIXEL = 4
_BYTES_PER_COEFFICIENTS = 6


class LargeImage(Exception):
    """Decoding an image takes more memory than it may beside others."""


def sniff(data: bytes) -> str | None:
    """Pillow's name of the accepted format that `data` begins like, or None."""
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "WEBP"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "GIF"
    if data.startswith(b"BM"):
        return "BMP"
    if data.startswith((b"II*\x00", b"MM\x00*")):
        return "TIFF"
    if is_avif(data):
        return "AVIF"
    return None


def open_image(data: bytes, image_format: str, *, max_pixels: int) -> Image.Image:
    """Opens an image and judges it by its header; its pixels are not decoded yet.

    Args:
        data: the encoded image.
        image_format: what `sniff` says; no other decoder is tried.
        max_pixels: largest width * height. Formats whose decoders need more memory have a lower
            limit of their own.

    Raises:
        ImageTooLarge: if it has too many pixels.
        UnsupportedImageFormat: if it is of a kind that is not accepted.
        InvalidImage: if it has absurdly many pieces.
        Exception: whatever Pillow raises on a corrupt image.
    """
    limit = min(max_pixels, _MOST_PIXELS.get(image_format, max_pixels))
    ended = True
    if image_format == "JPEG":
        jpeg = read_jpeg(data)
        data, ended = jpeg.data, jpeg.ended
    elif image_format == "PNG":
        data = read_png(data)
    elif image_format == "TIFF":
        data = read_tiff(data, limit)
    elif image_format == "AVIF":
        data = read_avif(data, limit)
    image = _opened(data, image_format) if ended else UnendedJpeg(_BoundedReader(data))
    image.decodermaxblock = _PIECE_BYTES
    if image.width * image.height > limit:
        raise ImageTooLarge(
            f"{image.width} x {image.height} pixels; at most {limit} are accepted in {image_format}"
        )
    if image_format == "BMP" and any(tile[0] == "bmp_rle" for tile in image.tile):
        raise UnsupportedImageFormat("a run-length encoded BMP")
    return image


def decoding_bytes(image: Image.Image, stored: tuple[int, int]) -> int:
    """About how much memory decoding an opened image will take, at the most.

    Args:
        image: not decoded yet; of a JPEG after `draft`.
        stored: the width and height that the file says.
    """
    if image.format != "JPEG":
        return image.width * image.height * BYTES_PER_PIXEL
    pixels = image.width * image.height * _BYTES_PER_JPEG_PIXEL
    if image.info.get("progressive"):
        pixels += stored[0] * stored[1] * _BYTES_PER_COEFFICIENTS
    return pixels


class _BoundedReader(BytesIO):
    """Counts the reads. Pillow's loops over pieces of a file all come by here."""

    _reads = 0

    def read(self, size: int | None = -1, /) -> bytes:
        self._reads += 1
        if self._reads > _MOST_READS:
            raise InvalidImage("the file consists of too many pieces")
        return super().read(size)


def _opened(data: bytes, image_format: str) -> ImageFile.ImageFile:
    try:
        return Image.open(_BoundedReader(data), formats=[image_format])
    except UnidentifiedImageError as error:
        if image_format == "TIFF":
            # Its directory has been read, so it is the samples that Pillow does not know.
            raise UnsupportedImageFormat("a TIFF of samples that are not accepted") from error
        raise
