"""Files of other kinds, and files of two kinds at once."""

from collections.abc import Iterator

from tools.reliability.corpus.binary import insert_jpeg_segments, jpeg_segment
from tools.reliability.corpus.case import INVALID, PREDICTION, TOO_LARGE, UNSUPPORTED, Case
from tools.reliability.corpus.pictures import encode, picture

# Formats that Pillow would open if it were let.
_PILLOW_FORMATS = (
    "BLP", "DDS", "DIB", "EPS", "ICNS", "ICO", "JPEG2000", "MSP", "PCX", "PDF", "PPM", "QOI",
    "SGI", "SPIDER", "TGA", "XBM",
)  # fmt: skip
_MODES = {"BLP": "P", "MSP": "1", "SPIDER": "F", "XBM": "1"}
_STARTS = {
    "PSD": b"8BPS\x00\x01" + bytes(6) + b"\x00\x03\x00\x00\x00\x40\x00\x00\x00\x40\x00\x08\x00\x03",
    "SVG": b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>',
    "PostScript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(%pipe%id) (r) file\n",
    "HEIC": b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic" + bytes(64),
    "JPEG XL": b"\xff\x0a" + bytes(64),
    "BigTIFF": b"II+\x00\x08\x00\x00\x00" + bytes(64),
    "FITS": b"SIMPLE  =                    T" + b" " * 50,
    "HDF5": b"\x89HDF\r\n\x1a\n" + bytes(64),
    "WMF": b"\xd7\xcd\xc6\x9a\x00\x00" + bytes(64),
    "FLI": b"\x80\x00\x00\x00\x11\xaf" + bytes(64),
    "ELF": b"\x7fELF\x02\x01\x01" + bytes(64),
    "ZIP": b"PK\x03\x04" + bytes(64),
    "gzip": b"\x1f\x8b\x08" + bytes(64),
    "HTML": b"<!doctype html><script>alert(1)</script>",
    "MP4": b"\x00\x00\x00\x18ftypisom" + bytes(64),
    "WAVE": b"RIFF\x24\x00\x00\x00WAVEfmt " + bytes(32),
    "nothing": b"",
    "one byte": b"\xff",
    "zeros": bytes(4096),
    "text": b"not an image\n" * 50,
}


def foreign() -> Iterator[Case]:
    """What must not even be tried, and polyglots, which are what their beginning says."""
    for name in _PILLOW_FORMATS:
        image = picture().convert(_MODES.get(name, "RGB"))
        yield Case.of(f"other format/{name}", encode(image, name), UNSUPPORTED)
    for name, data in _STARTS.items():
        yield Case.of(f"other format/{name}", data, UNSUPPORTED)
    yield from _polyglots()


def _polyglots() -> Iterator[Case]:
    jpeg, png, gif = (encode(picture(), name) for name in ("JPEG", "PNG", "GIF"))
    zip_end = b"PK\x05\x06" + bytes(18)
    script = b"*/=1;alert(1)/*"
    commented = insert_jpeg_segments(jpeg, jpeg_segment(0xFE, b"<?php phpinfo(); ?>"))
    yield Case.of("polyglot/JPEG and ZIP", jpeg + zip_end, PREDICTION)
    yield Case.of("polyglot/PNG and HTML", png + b"<script>alert(1)</script>", PREDICTION)
    yield Case.of("polyglot/GIF and JavaScript", gif + script, PREDICTION)
    yield Case.of("polyglot/JPEG and PHP", commented, PREDICTION)
    yield Case.of("polyglot/JPEG and PNG", jpeg + png, PREDICTION)
    yield Case.of("polyglot/PDF and JPEG", b"%PDF-1.7\n" + jpeg, UNSUPPORTED)
    yield Case.of("polyglot/GIF start and JPEG", b"GIF89a" + jpeg, INVALID, TOO_LARGE)
