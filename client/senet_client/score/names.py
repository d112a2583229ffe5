"""Names of files: which are images, and how they are written into an output."""

import os
import re

from senet_client.score import storage

IMAGE_SUFFIXES = (
    ".avif", ".bmp", ".gif", ".jfif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp",
)  # fmt: skip
"""Files in folders and archives are images if they end in one of these."""


def is_image(name: str) -> bool:
    """Whether it ends as images do, and is not a companion."""
    suffixed = storage.inner_name(name).lower()
    return suffixed.endswith(IMAGE_SUFFIXES) and not is_companion(name)


def is_companion(name: str) -> bool:
    """Whether macOS put it beside a file, to hold what other systems have no place for."""
    *folders, last = storage.inner_name(name).split("/")
    return last.startswith("._") or "__MACOSX" in folders


def displayed(location: str) -> str:
    r"""A path as text: bytes that are not UTF-8 become `\xNN`, half a surrogate pair `\uNNNN`."""
    try:
        return os.fsencode(location).decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:  # no file's name; a JSON manifest may hold it all the same
        return location.encode("utf-8", "backslashreplace").decode()


def unescaped(text: str) -> str:
    """Undoes `displayed` where it escaped bytes."""

    def byte(match: re.Match[bytes]) -> bytes:
        return bytes([int(match[1], 16)])

    try:
        return os.fsdecode(re.sub(rb"\\x([89a-f][0-9a-f])", byte, os.fsencode(text)))
    except UnicodeEncodeError:  # no file's name
        return text
