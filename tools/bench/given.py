"""A server of the user's own, measured where it runs."""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from app.contract.errors import ConfigurationError
from tools.loadtools.proc import processor_seconds, resident_mib

_LOCAL = ("127.0.0.1", "localhost")


@dataclass(frozen=True)
class GivenServer:
    """What the measurements need of a server that somebody else has started.

    Attributes:
        port: on 127.0.0.1.
        path: where it takes one image as the raw body.
        pid: its first process, for its memory and processor time; None if that is not known.
    """

    port: int
    path: str
    pid: int | None = None

    @property
    def url(self) -> str:
        """Where it takes one image as the raw body."""
        return f"http://127.0.0.1:{self.port}{self.path}"

    @property
    def resident_mib(self) -> float:
        """Memory of its processes; 0 without a pid."""
        return resident_mib(self.pid) if self.pid is not None else 0.0

    @property
    def processor_seconds(self) -> float:
        """Processor time of its processes; 0 without a pid."""
        return processor_seconds(self.pid) if self.pid is not None else 0.0


def parse(url: str, pid: int | None) -> GivenServer:
    """Reads `--url` and `--pid`.

    Raises:
        ConfigurationError: if the server is not on this machine, or the process is not there.
    """
    try:
        parts = urlsplit(url)
        port = parts.port or 80
    except ValueError as error:
        raise _refusal(url, str(error)) from error
    if parts.scheme != "http":
        raise _refusal(url, "not an http:// address")
    if parts.hostname not in _LOCAL:
        raise _refusal(url, "not on this machine, whose bare loop it is compared with")
    if pid is not None and not Path(f"/proc/{pid}").is_dir():
        raise ConfigurationError("--pid", f"no process {pid}", "give the server's process id")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return GivenServer(port, path, pid)


def _refusal(url: str, cause: str) -> ConfigurationError:
    return ConfigurationError(
        "--url", f"{url} is {cause}", "give http://127.0.0.1:PORT/PATH of a server that runs here"
    )
