"""What is sent for an image and is none is named."""

import pytest

from app.contract.errors import UnsupportedImageFormat
from tests.app.contract.image_files.prepared import prepared


@pytest.mark.parametrize(
    ("beginning", "kind"),
    [
        (b"II+\x00\x08\x00\x00\x00\x10", "BigTIFF"),
        (b"MM\x00+\x00\x08\x00\x00", "BigTIFF"),
        (b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic", "HEIC"),
        (b"\x00\x00\x00\x18ftypqt  ", "film"),
        (b"\xff\x0a\xfa\x1f", "JPEG XL"),
        (b"\x00\x00\x00\x0cJXL \r\n\x87\n", "JPEG XL"),
        (b"\x00\x00\x00\x0cjP  \r\n\x87\n", "JPEG 2000"),
        (b"8BPS\x00\x01", "Photoshop"),
        (b"%PDF-1.7", "PDF"),
        (b"<svg xmlns=", "SVG"),
        (b"data:image/png;base64,iVBORw0KGgo", "data: URI"),
        (b"/9j/4AAQSkZJRg", "base64"),
    ],
)
def test_a_kind_that_is_not_accepted_is_named(beginning: bytes, kind: str) -> None:
    with pytest.raises(UnsupportedImageFormat, match=f"but, as it begins, {kind}"):
        prepared(beginning + bytes(300))


def test_what_nobody_knows_is_not_named() -> None:
    with pytest.raises(UnsupportedImageFormat, match=r"AVIF image$"):
        prepared(b"\x01\x02\x03" * 100)
