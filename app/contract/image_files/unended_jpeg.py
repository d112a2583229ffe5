"""A JPEG that lacks its end marker: decoded once, and accepted only if its pixels are all there.

A decoder that meets an end marker too early makes up what is missing. Without one it asks for more
data instead, so what it does with a few more bytes tells whether it was still within the pixels.
"""

from typing import TYPE_CHECKING

from PIL import Image, ImageFile, JpegImagePlugin

from app.contract.errors import InvalidImage

if TYPE_CHECKING:
    from PIL._imaging import ImagingDecoder, PixelAccess

_END = b"\xff\xd9"
# Eight bytes are what libjpeg-turbo reads ahead of what it decodes. Ones are not a code of any
# table, and so take it furthest: it gets no further by them than the end of a block or two.
_AHEAD = b"\xff\x00" * 8
_SCAN = b"\xff\xda"
_RESTARTS = tuple(bytes([0xFF, marker]) for marker in range(0xD0, 0xD8))


class UnendedJpeg(JpegImagePlugin.JpegImageFile):
    """A JPEG whose data end with those of its last scan, or before."""

    def load(self) -> "PixelAccess | None":
        """See `PIL.Image.Image.load`.

        Raises:
            InvalidImage: if more than a bit of the last blocks is missing.
        """
        for tile in self.tile:
            self.load_prepare()
            self._decode(tile)
        self.tile = []
        return super().load()

    def _decode(self, tile: ImageFile._Tile) -> None:
        fp, extents = self.fp, tile.extents
        if fp is None or extents is None:
            raise InvalidImage("corrupt JPEG image: it holds no pixels")
        data = fp.read() if fp.seek(tile.offset) == tile.offset else b""
        decoder = Image._getdecoder(self.mode, tile.codec_name, tile.args, self.decoderconfig)
        try:
            decoder.setimage(self.im, extents)
            if not _is_whole(decoder, data):
                raise InvalidImage("truncated JPEG image: it ends within its pixels")
        finally:
            decoder.cleanup()


def _is_whole(decoder: "ImagingDecoder | ImageFile.PyDecoder", data: bytes) -> bool:
    """Decodes a file, and tells whether all pixels were in it.

    A decoder of one scan is done with the last row. One of several looks for the next marker, and
    skips a lone byte on its way, which one within a scan would leave for want of more. One that
    waits for a restart skips it too, but leaves the byte behind the restart marker.
    """
    rest = b""
    for more in (data + _AHEAD, b"\x00", _next_restart(data) + b"\x00", _END):
        rest += more
        taken, error = decoder.decode(rest)
        if taken < 0:
            return not error
        rest = rest[taken:]
        if rest:
            return False
    return False


def _next_restart(data: bytes) -> bytes:
    """The restart marker that comes next in the last scan."""
    scan = data.rfind(_SCAN)
    places = [data.rfind(marker, scan) for marker in _RESTARTS]
    last = max(range(len(places)), key=places.__getitem__)
    return _RESTARTS[(last + 1) % len(_RESTARTS) if places[last] >= 0 else 0]
