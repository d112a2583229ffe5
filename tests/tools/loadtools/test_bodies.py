from email import message_from_bytes
from email.message import Message
from pathlib import Path
from typing import cast

from tools.loadtools.bodies import RAW_TYPE, multipart, raw


def _photos(folder: Path, count: int) -> list[Path]:
    files = [folder / f"{index}.jpg" for index in range(count)]
    for index, file in enumerate(files):
        # What a careless writer of multipart would stumble over.
        file.write_bytes(b"\r\n--" + bytes([index]) * 3 + b"\r\n")
    return files


def test_raw_bodies_are_the_photos(tmp_path: Path) -> None:
    photos = _photos(tmp_path, 2)

    bodies = raw(photos)

    assert (bodies.content_type, bodies.files, bodies.images) == (RAW_TYPE, tuple(photos), 1)


def test_multipart_holds_the_photos_in_turn(tmp_path: Path) -> None:
    photos = _photos(tmp_path, 2)

    bodies = multipart(photos, 3, tmp_path / "bodies")

    [file] = bodies.files
    head = f"Content-Type: {bodies.content_type}\r\n\r\n".encode()
    parts = cast("list[Message]", message_from_bytes(head + file.read_bytes()).get_payload())
    assert [part.get_filename() for part in parts] == ["0.jpg", "1.jpg", "0.jpg"]
    assert [part.get_payload(decode=True) for part in parts] == [
        photos[index].read_bytes() for index in (0, 1, 0)
    ]
    assert bodies.images == 3
