"""Where the service is, who asks, and whom to trust: what may stand for each."""

import os
import ssl

import httpx

from senet_client.errors import InvalidArgument


def checked_url(text: str) -> str:
    """The address of a service, as it was given.

    Raises:
        InvalidArgument: if it cannot be one.
    """
    if not isinstance(text, str):
        raise InvalidArgument(f"base_url: {text!r} is not a string")
    try:
        url = httpx.URL(text)
        url.host.encode("idna")  # as the system's resolver will, whose errors are worse
    except (httpx.InvalidURL, UnicodeError) as error:
        raise InvalidArgument(f"base_url: {text!r} is not a valid URL ({error})") from error
    if url.scheme not in ("http", "https") or not url.host:
        raise InvalidArgument(f"base_url: {text!r} is not http(s)://host[:port][/path]")
    if url.userinfo:
        # httpx would send it in the key's place, and messages that name the URL would tell it.
        raise InvalidArgument("base_url: it holds a user name or password; give a key as api_key")
    if url.query or url.fragment:
        raise InvalidArgument(f"base_url: {text!r} must end with its path, without ? and #")
    if url.port is not None and not 0 < url.port < 65536:
        raise InvalidArgument(f"base_url: {text!r}: a port is a number from 1 to 65535")
    return text


def checked_key(key: str | None) -> str | None:
    """The key, or None if it is empty.

    Raises:
        InvalidArgument: if it cannot stand in a header; the message does not tell it.
    """
    if key is not None and not (
        isinstance(key, str) and key.isascii() and key.isprintable() and " " not in key
    ):
        raise InvalidArgument("api_key: a key holds printable ASCII without spaces")
    return key or None


def checked_trust(verify: ssl.SSLContext | bool) -> ssl.SSLContext:
    """How the service's certificate is checked.

    Raises:
        InvalidArgument: if the authorities' certificates cannot be read.
    """
    if isinstance(verify, ssl.SSLContext):
        return verify
    if not isinstance(verify, bool):
        raise InvalidArgument(
            f"verify: {verify!r} is neither True, False nor an ssl.SSLContext, for example"
            " ssl.create_default_context(cafile=...)"
        )
    try:
        return httpx.create_ssl_context(verify=verify)
    except OSError as error:  # ssl.SSLError is one
        named = [name for name in ("SSL_CERT_FILE", "SSL_CERT_DIR") if os.environ.get(name)]
        told = " and ".join(f"{name}={os.environ[name]}" for name in named) or "verify"
        raise InvalidArgument(
            f"{told}: the authorities' certificates cannot be read ({error.strerror or error})"
        ) from error
