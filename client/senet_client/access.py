"""Where the service is and who asks: what may stand for either."""

import httpx

from senet_client.errors import InvalidArgument


def checked_url(text: str) -> str:
    """The address of a service, as it was given.

    Raises:
        InvalidArgument: if it cannot be one.
    """
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL as error:
        raise InvalidArgument(f"base_url: {text!r} is no URL ({error})") from error
    if url.scheme not in ("http", "https") or not url.host:
        raise InvalidArgument(f"base_url: {text!r} is not http(s)://host[:port][/path]")
    if url.userinfo:
        # httpx would send it in the key's place, and messages that name the URL would tell it.
        raise InvalidArgument("base_url: it holds a user name or password; give a key as api_key")
    return text


def checked_key(key: str | None) -> str | None:
    """The key, or None if it is empty.

    Raises:
        InvalidArgument: if it cannot stand in a header; the message does not tell it.
    """
    if key is not None and not (key.isascii() and key.isprintable() and " " not in key):
        raise InvalidArgument("api_key: a key holds printable ASCII without spaces")
    return key or None
