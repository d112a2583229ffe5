"""What an image may be given as, and what is none."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from senet_client import errors
from tests.conftest import Surface
from tests.fake_service import FakeService, best_class


def _path(folder: Path) -> Any:
    path = folder / "a.jpg"
    path.write_bytes(b"bytes")
    return path


@pytest.mark.parametrize(
    ("make_image", "name"),
    [
        (_path, "a.jpg"),
        (lambda folder: str(_path(folder)), "a.jpg"),
        (lambda folder: _path(folder).open("rb"), "a.jpg"),
        (lambda folder: b"bytes", None),
        (lambda folder: bytearray(b"bytes"), None),
        (lambda folder: BytesIO(b"bytes"), None),
    ],
    ids=["path", "string", "file", "bytes", "bytearray", "buffer"],
)
def test_an_image_may_be_given_as(
    client: Surface, tmp_path: Path, make_image: Callable[[Path], Any], name: str | None
) -> None:
    image = make_image(tmp_path)

    answer = client.classify(image)

    if hasattr(image, "close"):
        image.close()
    assert answer.predictions[0].class_index == best_class(b"bytes")
    assert (answer.name and Path(answer.name).name) == name


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "CMYK", "P", "I;16"])
def test_a_pillow_image_is_sent_as_png(client: Surface, service: FakeService, mode: str) -> None:
    sent: list[bytes] = []
    service.on_classify = sent.extend

    client.classify(Image.new(mode, (5, 3)))

    with Image.open(BytesIO(sent[0])) as image:
        assert (image.format, image.size) == ("PNG", (5, 3))


def test_a_pillow_image_keeps_the_orientation_of_its_file(
    client: Surface, service: FakeService, tmp_path: Path
) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (5, 3)).save(tmp_path / "turned.jpg", exif=exif)
    sent: list[bytes] = []
    service.on_classify = sent.extend

    with Image.open(tmp_path / "turned.jpg") as image:
        client.classify(image)

    with Image.open(BytesIO(sent[0])) as image:
        assert image.getexif()[0x0112] == 6


@pytest.mark.parametrize(
    ("image", "message"),
    [
        ("https://example.org/a.jpg", "is a URL; fetch it and pass the bytes"),
        (5, "int is no image"),
    ],
)
def test_what_is_no_image_is_refused(client: Surface, image: Any, message: str) -> None:
    with pytest.raises(errors.InvalidArgument, match=message):
        client.classify(image)


@pytest.mark.parametrize(
    ("name", "message"),
    [("gone.jpg", "No such file"), (".", "directory"), ("nul\0.jpg", "null"), ("empty", "empty")],
)
def test_an_unreadable_file_is_that_images_error(
    client: Surface, service: FakeService, tmp_path: Path, name: str, message: str
) -> None:
    (tmp_path / "empty").touch()

    with pytest.raises(errors.UnreadableImage, match=message):
        client.classify(str(tmp_path / name))

    assert service.requests == []


def test_a_huge_file_is_not_read(client: Surface, tmp_path: Path) -> None:
    with (tmp_path / "huge.jpg").open("wb") as file:
        file.truncate(2 * 1024**3)

    with pytest.raises(errors.ImageTooLarge, match="2147483648 bytes; at most 33554432"):
        client.classify(tmp_path / "huge.jpg")
