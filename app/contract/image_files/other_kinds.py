"""Kinds of files that are sent for images but are not accepted, so that the error can name them."""

_BRANDS = {
    "HEIC": frozenset({b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1"}),
    "AVIF sequence without a still image": frozenset({b"avis"}),
}
# Those of text last: any other may begin like it.
_BEGINNINGS: tuple[tuple[str, tuple[bytes, ...]], ...] = (
    ("BigTIFF", (b"II+\x00", b"MM\x00+")),
    ("JPEG XL", (b"\xff\x0a", b"\x00\x00\x00\x0cJXL ")),
    ("JPEG 2000", (b"\x00\x00\x00\x0cjP  ", b"\xff\x4f\xff\x51")),
    ("JPEG XR", (b"II\xbc",)),
    ("Photoshop", (b"8BPS",)),
    ("PDF", (b"%PDF-",)),
    ("icon", (b"\x00\x00\x01\x00",)),
    ("DICOM", (bytes(128) + b"DICM",)),
    ("ZIP", (b"PK\x03\x04",)),
    ("gzip", (b"\x1f\x8b",)),
    ("data: URI", (b"data:",)),
    ("base64", (b"/9j/", b"iVBORw0KGgo", b"UklGR", b"R0lGOD")),
    ("JSON", (b'{"',)),
    ("SVG, XML or HTML", (b"<svg", b"<?xml", b"<!DOCTYPE", b"<!doctype", b"<html")),
)
_FILM = "film or other ISO media"


def other_kind(data: bytes) -> str | None:
    """What a file that is in no accepted format seems to be, or None."""
    if data[4:8] == b"ftyp":
        return next((kind for kind, brands in _BRANDS.items() if data[8:12] in brands), _FILM)
    return next((kind for kind, begins in _BEGINNINGS if data.startswith(begins)), None)
