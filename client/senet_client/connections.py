"""How the connections to the service are made: by this library, or by the caller's own client."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import httpx

from senet_client.errors import InvalidArgument

Http = TypeVar("Http", httpx.Client, httpx.AsyncClient)

_OURS = frozenset(
    {"accept", "content-length", "content-type", "host", "x-request-id", "x-request-timeout-ms"}
)


def checked_headers(headers: Mapping[str, str] | None, api_key: str | None) -> dict[str, str]:
    """What every request carries, the caller's headers among it.

    Raises:
        InvalidArgument: for a name or value that cannot stand in a header, or that the client sets
            itself; the message does not tell values, which may be secret.
    """
    sent = {"accept": "application/json", "user-agent": "senet-client"}
    for name, value in (headers or {}).items():
        if not isinstance(name, str) or not isinstance(value, str):
            raise InvalidArgument("headers: names and values must be text")
        lower = name.lower()
        if not name.isascii() or not name.isprintable() or not name or set(name) & set(' :"(),/'):
            raise InvalidArgument(f"headers: {name!r} is not the name of a header")
        if not value.isascii() or not value.isprintable():
            raise InvalidArgument(f"headers: the value of {name} is not printable ASCII")
        if lower in _OURS or (lower == "authorization" and api_key is not None):
            raise InvalidArgument(f"headers: {name} is set by the client itself")
        sent[lower] = value
    if api_key is not None:
        sent["authorization"] = f"Bearer {api_key}"
    return sent


def opening(open_client: Callable[..., Http], **options: Any) -> Callable[[], Http]:  # noqa: ANN401 - httpx's
    """What makes the client of a process and event loop.

    Args:
        open_client: makes one of httpx.
        options: those of httpx.

    Raises:
        InvalidArgument: by the function that is returned, for a proxy that cannot be used.
    """

    def make() -> Http:
        try:
            return open_client(**options)
        except (httpx.InvalidURL, ValueError, ImportError) as error:
            if isinstance(error, ImportError) and "http2" in str(error):
                raise InvalidArgument(f"http2: needs a package of its own ({error})") from error
            if options["proxy"] is not None:
                raise InvalidArgument(f"proxy: cannot be used ({error})") from error
            raise InvalidArgument(
                "HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY: what the environment says of"
                f" proxies cannot be used ({error})"
            ) from error

    return make


def lending(given: Http, kind: type[Http]) -> Callable[[], Http]:
    """What hands out the caller's own client, once.

    Connections that two processes or event loops share mix up their answers.

    Raises:
        InvalidArgument: if it is another kind of client; by the function that is returned, for
            another process or event loop.
    """
    if not isinstance(given, kind):
        raise InvalidArgument(
            f"http_client: {type(given).__name__} is not an httpx.{kind.__name__}"
        )
    unused = [given]

    def make() -> Http:
        if not unused:
            raise InvalidArgument(
                "http_client: it belongs to the process and event loop that used it first; make a"
                " client for each of the others"
            )
        return unused.pop()

    return make
