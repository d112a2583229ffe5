"""What `model_repository` may say: a folder, or the URI of a store."""

import re
from pathlib import Path

Location = Path | str
"""A folder, or a URI."""

PACKAGES = {"s3": "s3fs", "gs": "gcsfs", "az": "adlfs", "https": "aiohttp", "http": "aiohttp"}
"""Schemes, and the package that each needs beside fsspec."""

_URI = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.*)", re.DOTALL)
_PLAIN = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=:@%/\[\]-]+")


def parse_location(text: str) -> Location:
    """Reads the option.

    Args:
        text: what somebody wrote.

    Returns:
        A folder, or a URI that begins with one of `PACKAGES` and does not end with a slash.

    Raises:
        ValueError: in words for that person.
    """
    found = _URI.fullmatch(text)
    if found is None:
        return Path(text)
    scheme, rest = found[1].lower(), found[2].rstrip("/")
    if scheme not in PACKAGES:
        raise ValueError(f"a folder, or a URI that begins with {', '.join(PACKAGES)}; not {scheme}")
    place, *folders = rest.split("/")
    if not place:
        raise ValueError(f"a URI names a {'host' if 'http' in scheme else 'bucket'} after ://")
    if "@" in place:
        # It would stand in logs and messages.
        raise ValueError("credentials belong in the environment, not in a URI")
    if not _PLAIN.fullmatch(rest) or {"", ".", ".."} & set(folders):
        raise ValueError(
            "a URI has no spaces, query, fragment, empty folders, '.' or '..' after its host"
        )
    return f"{scheme}://{rest}"
