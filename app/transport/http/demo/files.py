"""The page's files, read once."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

FOLDER = Path(__file__).parent / "static"
PAGE = "index.html"
# Indentation and comments are for those who change them, and an eighth of their size.
_INDENTED = (".html", ".css", ".js")
# It holds programs in Python, which need theirs.
_WITH_PROGRAMS = "snippets.js"
# Named here, for a system's own table of types may lack some or say otherwise.
_TYPES: Mapping[str, str] = MappingProxyType(
    {
        ".html": "text/html; charset=utf-8",
        ".css": "text/css; charset=utf-8",
        ".js": "text/javascript; charset=utf-8",
        ".json": "application/json",
        ".svg": "image/svg+xml",
        ".jpg": "image/jpeg",
    }
)


@dataclass(frozen=True, slots=True)
class PageFile:
    """A file of the page.

    Attributes:
        body: its bytes.
        media_type: for Content-Type.
        etag: changes with the bytes.
    """

    body: bytes
    media_type: str
    etag: str


def read_files(folder: Path = FOLDER) -> dict[str, PageFile]:
    """All files below a folder, by their paths in it."""
    return {
        path.relative_to(folder).as_posix(): _read(path)
        for path in sorted(folder.rglob("*"))
        if path.suffix in _TYPES
    }


def _read(path: Path) -> PageFile:
    body = path.read_bytes()
    if path.suffix in _INDENTED and path.name != _WITH_PROGRAMS:
        body = re.sub(rb"(?m)^ *(?://.*\n|/\*\*.*\*/\n)?", b"", body)
    return PageFile(body, _TYPES[path.suffix], f'"{hashlib.sha256(body).hexdigest()[:32]}"')
