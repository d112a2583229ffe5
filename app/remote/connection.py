"""How the library of a URI's scheme is asked: opened with timeouts of ours, and without caches."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from app.contract.errors import ConfigurationError
from app.remote.failures import reading
from app.remote.location import PACKAGES

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

_BLOCK_BYTES = 4 * 2**20
_CONNECT_SECONDS = 30
_SILENCE_SECONDS = 60
# Their debug lines hold what must not be logged, and their others tell nothing to an operator.
_LIBRARIES = (
    "fsspec", "s3fs", "gcsfs", "aiobotocore", "botocore", "adlfs", "azure", "google", "aiohttp",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Connection:
    """How a library is asked.

    Attributes:
        filesystem: fsspec's, without caches of its own.
        root: what stands before each path.
        open_options: of `filesystem.open`.
    """

    filesystem: "AbstractFileSystem"
    root: str
    open_options: Mapping[str, object] = field(default_factory=dict)


def connect(uri: str) -> Connection:
    """Opens the store of a URI.

    Raises:
        ConfigurationError: if its library is missing, or refuses the URI.
    """
    scheme = uri.partition("://")[0]
    for library in _LIBRARIES:
        logging.getLogger(library).setLevel(logging.WARNING)
    options: dict[str, object] = {"use_listings_cache": False}
    opening: dict[str, object] = {"block_size": _BLOCK_BYTES}
    try:
        import fsspec

        if scheme in ("http", "https"):
            from aiohttp import ClientTimeout

            # Large files may take long; silence may not. Proxies and .netrc count.
            timeout = ClientTimeout(
                total=None, sock_connect=_CONNECT_SECONDS, sock_read=_SILENCE_SECONDS
            )
            options["client_kwargs"] = {"trust_env": True, "timeout": timeout}
            opening = {"block_size": 0}  # not every server knows ranges
        with reading(uri):
            filesystem = fsspec.filesystem(scheme, **options)
            root: str = filesystem._strip_protocol(uri)  # as fsspec's own functions do
    except ImportError as error:
        raise ConfigurationError(
            "model_repository",
            f"{uri} needs the package {PACKAGES[scheme]} ({error})",
            f"install the extra {'https' if scheme == 'http' else scheme}",
        ) from error
    return Connection(filesystem, root.rstrip("/"), opening)
