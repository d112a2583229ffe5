"""What an image may be given as, and what is none."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from senet_client import Classification, errors
from tests.conftest import Surface
from tests.fake_service import FakeService, best_class, problem


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
        (5, "int is not an image"),
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


def _truncated(_: Path) -> Any:
    buffer = BytesIO()
    Image.effect_noise((64, 64), 90).save(buffer, "JPEG")
    return Image.open(BytesIO(buffer.getvalue()[: len(buffer.getvalue()) // 2]))


def _closed(folder: Path) -> Any:
    image = _truncated(folder)
    image.close()
    return image


def _closed_file(folder: Path) -> Any:
    file = _path(folder).open("rb")
    file.close()
    return file


class _Broken:
    """A file object of another library."""

    name = "broken.jpg"

    def read(self, _: int) -> bytes:
        raise RuntimeError("the archive's member is encrypted")


def _pipe(folder: Path) -> Any:
    os.mkfifo(folder / "pipe.jpg")
    return folder / "pipe.jpg"


@pytest.mark.parametrize(
    ("make_image", "kind", "message"),
    [
        (_truncated, errors.UnreadableImage, "Pillow cannot.*truncated"),
        (_closed, errors.UnreadableImage, "Pillow cannot"),
        (lambda _: Image.new("RGB", (0, 0)), errors.UnreadableImage, "0 x 0 pixels"),
        (_closed_file, errors.UnreadableImage, "closed file"),
        (lambda _: _Broken(), errors.UnreadableImage, "encrypted"),
        (_pipe, errors.UnreadableImage, "it is a pipe"),
        (lambda _: StringIO("text"), errors.InvalidArgument, "open for text"),
        (lambda _: None, errors.InvalidArgument, "NoneType is not an image"),
        (lambda _: "http://host/a.jpg", errors.InvalidArgument, "is a URL"),
    ],
    ids=[
        *("truncated", "closed", "empty", "file", "foreign", "pipe", "text", "none", "url"),
    ],
)
def test_a_bad_image_among_good_ones_is_its_own_error(
    client: Surface,
    tmp_path: Path,
    make_image: Callable[[Path], Any],
    kind: type[errors.SenetClientError],
    message: str,
) -> None:
    image = make_image(tmp_path)

    first, bad, last = client.classify_many([b"first", image, b"last"])

    assert isinstance(first, Classification)
    assert isinstance(last, Classification)
    assert isinstance(bad, kind)
    assert re.search(message, str(bad))


def test_bytes_may_come_piece_by_piece(client: Surface) -> None:
    class Slow:
        """A pipe or socket, which gives what it has."""

        def __init__(self) -> None:
            self.pieces = [b"by", b"tes", b""]

        def read(self, _: int) -> bytes:
            return self.pieces.pop(0)

    assert client.classify(Slow()).predictions[0].class_index == best_class(b"bytes")


@pytest.mark.parametrize(
    "images", ["photo.jpg", b"photo", Path("photo.jpg"), BytesIO(b"photo"), Image.new("L", (2, 2))]
)
@pytest.mark.parametrize("call", ["classify_many", "classify_batch"])
def test_one_image_is_no_list_of_images(client: Surface, call: str, images: Any) -> None:
    with pytest.raises(errors.InvalidArgument, match="is one image; give a list of them"):
        getattr(client, call)(images)


def test_what_holds_no_images_is_told(client: Surface) -> None:
    with pytest.raises(errors.InvalidArgument, match="int holds no images"):
        client.classify_many(5)


def test_type_checkers_see_that_one_image_is_no_list(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "from senet_client import AsyncClient, Client\n"
        "for result in Client().classify_many('photo.jpg'): print(result)\n"
        "Client().classify_batch('photo.jpg').results\n"
        "async def main() -> None:\n"
        "    async for result in AsyncClient().classify_many('photo.jpg'): print(result)\n"
        "    (await AsyncClient().classify_batch('photo.jpg')).results\n"
        "    async for result in AsyncClient().classify_many(['photo.jpg']): print(result)\n"
        "    print((await AsyncClient().classify_batch(['photo.jpg'])).results)\n"
    )
    words = ["-m", "mypy", "--strict", "--no-error-summary", "--cache-dir", str(tmp_path)]

    done = subprocess.run(  # noqa: S603 - the tests' own program
        [sys.executable, *words, str(program)],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        check=False,
    )

    lines = {int(line.split(":")[1]) for line in done.stdout.splitlines() if ": error:" in line}
    assert lines == {2, 3, 5, 6}, done.stdout


@pytest.mark.parametrize("image", ["gone.jpg", b"corrupt", b"x"])
def test_an_error_names_the_image_and_the_url(
    client: Surface, service: FakeService, tmp_path: Path, image: Any
) -> None:
    if isinstance(image, bytes):
        path = tmp_path / "photo.jpg"
        path.write_bytes(image)
        service.script.extend([problem(500, "inference_failed")] * (image == b"x"))
    else:
        path = tmp_path / image

    with pytest.raises(errors.SenetClientError) as raised:
        client.classify(path)

    assert (raised.value.name, raised.value.url) == (str(path), "http://fake/classify")
    assert str(raised.value).endswith(f" [{path}, http://fake/classify]")
    assert "[" not in raised.value.message


def test_errors_of_one_image_among_several_name_it(
    make: Callable[..., Surface], service: FakeService, tmp_path: Path
) -> None:
    (tmp_path / "a.jpg").write_bytes(b"corrupt")
    client = make()

    (error, _) = client.classify_many([tmp_path / "a.jpg", b"x"])

    assert isinstance(error, errors.InvalidImage)
    assert (error.name, error.url) == (str(tmp_path / "a.jpg"), "http://fake/classify")
    service.script.append(problem(413, "too_many_images"))
    with pytest.raises(errors.TooManyImages, match=r"a\.jpg and 1 more, http://fake/classify\]$"):
        client.classify_many([tmp_path / "a.jpg", b"x"])
    with pytest.raises(errors.InvalidArgument) as unknown:
        client.classify(b"x", top_k="many")
    assert unknown.value.request_id is None


def test_a_name_that_is_no_text_can_be_printed(client: Surface, tmp_path: Path) -> None:
    name = os.fsdecode(bytes(tmp_path) + b"/odd\xff.jpg")

    with pytest.raises(errors.UnreadableImage) as raised:
        client.classify(name)

    assert raised.value.name == name
    assert str(raised.value).encode()
