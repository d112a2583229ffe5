"""Foreign servers for the length of a test."""

import contextlib
import socket
import subprocess
from collections.abc import Iterator

from tests.support.waiting import eventually


@contextlib.contextmanager
def listening(port: int, command: list[str]) -> Iterator[None]:
    """A program that listens on a port of 127.0.0.1, for the length of a `with` block."""
    with subprocess.Popen(command) as process:
        try:
            eventually(lambda: process.poll() is not None or _answers(port))
            assert process.poll() is None, f"{command[0]} did not start"
            yield
        finally:
            process.terminate()


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False
