"""The shipped configurations of proxies, run by the real programs on ports and files of a test."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.deploy.files import DEPLOY
from tests.support.listening import listening

Tool = Callable[[str], str]

_NGINX = """
daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/errors;
events {{}}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  {site}
}}
"""


@dataclass(frozen=True)
class Addresses:
    """Where a proxy listens, and what it stands before.

    Attributes:
        http: its port for HTTP.
        https: its port for HTTPS.
        service: the service's port.
    """

    http: int
    https: int
    service: int


@contextlib.contextmanager
def nginx(
    folder: Path, ports: Addresses, certificate: dict[str, Path], tool: Tool
) -> Iterator[None]:
    """nginx with `deploy/nginx/site.conf`."""
    site = replaced(
        (DEPLOY / "nginx" / "site.conf").read_text(),
        {
            "listen 80;": f"listen 127.0.0.1:{ports.http};",
            "listen 443 ssl": f"listen 127.0.0.1:{ports.https} ssl",
            "server 127.0.0.1:8000 ": f"server 127.0.0.1:{ports.service} ",
            "/etc/nginx/tls/tls.crt": str(certificate["tls_certificate_file"]),
            "/etc/nginx/tls/tls.key": str(certificate["tls_key_file"]),
        },
    )
    file = folder / "nginx.conf"
    file.write_text(_NGINX.format(folder=folder, site=site))
    command = [tool("nginx"), "-p", str(folder), "-e", str(folder / "errors"), "-c", str(file)]
    with listening(ports.https, command):
        yield


@contextlib.contextmanager
def haproxy(
    folder: Path, ports: Addresses, certificate: dict[str, Path], tool: Tool
) -> Iterator[None]:
    """HAProxy with `deploy/haproxy/haproxy.cfg`."""
    pair = folder / "tls.pem"
    pair.write_bytes(b"".join(path.read_bytes() for path in certificate.values()))
    text = replaced(
        (DEPLOY / "haproxy" / "haproxy.cfg").read_text(),
        {
            "bind :80": f"bind 127.0.0.1:{ports.http}",
            "bind :443": f"bind 127.0.0.1:{ports.https}",
            "/etc/haproxy/tls.pem": str(pair),
            "server senet1 127.0.0.1:8000": f"server senet1 127.0.0.1:{ports.service}",
            # So that a test need not wait for it.
            "check inter 2s": "check inter 500ms",
        },
    )
    file = folder / "haproxy.cfg"
    file.write_text(text)
    with listening(ports.https, [tool("haproxy"), "-db", "-f", str(file)]):
        yield


Proxy = Callable[[Path, Addresses, dict[str, Path], Tool], contextlib.AbstractContextManager[None]]


def replaced(text: str, by: dict[str, str]) -> str:
    """A text with all of these replaced, each of which must be there."""
    for old, new in by.items():
        assert old in text, old
        text = text.replace(old, new)
    return text
