"""What the commands share that ask the service: its URL, a key, and how failures are told."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, TypeAlias

import typer

from senet_client.base import DEFAULT_URL
from senet_client.client import Client
from senet_client.errors import SenetClientError

FAILED = 1

UrlOption: TypeAlias = Annotated[
    str, typer.Option(envvar="SENET_URL", help="Where the service is.")
]
KeyOption: TypeAlias = Annotated[
    str | None, typer.Option(envvar="SENET_API_KEY", help="Key for the service.")
]

__all__ = ["DEFAULT_URL", "FAILED", "KeyOption", "UrlOption", "asking"]


@contextmanager
def asking(url: str, api_key: str | None) -> Iterator[Client]:
    """A client for a `with` block; what fails in it is one line and the exit code 1."""
    try:
        with Client(url, api_key=api_key) as client:
            yield client
    except SenetClientError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(FAILED) from error
