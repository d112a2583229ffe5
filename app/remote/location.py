"""What an option may say that names a place: a folder, or the URI of a store."""

import re
from pathlib import Path

from app.contract.errors import ConfigurationError

Location = Path | str
"""A folder, or a URI."""

PACKAGES = {"s3": "s3fs", "gs": "gcsfs", "az": "adlfs", "https": "aiohttp", "http": "aiohttp"}
"""Schemes, and the package that each needs beside fsspec."""

_SCHEMES = ", ".join(f"{scheme}://" for scheme in PACKAGES)
_URI = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.*)", re.DOTALL)
_PLAIN = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=:@%/\[\]-]+")


def parse_location(text: str, option: str = "model_repository") -> Location:
    """Reads the option.

    Args:
        text: what somebody wrote.
        option: in which option, for messages.

    Returns:
        A folder, or a URI that begins with one of `PACKAGES` and does not end with a slash.

    Raises:
        ConfigurationError: if it is neither. Credentials in it are not repeated.
    """
    found = _URI.fullmatch(text)
    if found is None:
        return Path(text)
    scheme, rest = found[1].lower(), found[2].rstrip("/")
    place, *folders = rest.split("/")
    if "@" in place:
        # It would stand in logs and messages.
        raise _refusal(option, "a URI with credentials", "give them in the store's own variables")
    if scheme not in PACKAGES:
        raise _refusal(option, f"{text!r}", f"give a folder, or a URI that begins with {_SCHEMES}")
    if not place:
        raise _refusal(option, f"{text!r}", "name the bucket or the host after ://")
    if not _PLAIN.fullmatch(rest) or {"", ".", ".."} & set(folders):
        raise _refusal(
            option,
            f"{text!r}",
            "give a URI without spaces, query, fragment, empty folders, '.' and '..'",
        )
    return f"{scheme}://{rest}"


def _refusal(option: str, what: str, remedy: str) -> ConfigurationError:
    place = "a repository" if option == "model_repository" else "a place for records"
    flag = f"--{option.replace('_', '-')} (SENET_{option.upper()})"
    return ConfigurationError(option, f"{what} is not {place}", f"{remedy}; see {flag}")
