"""Real proxies before a service, configured to pass offers of other protocols on."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from tests.support.listening import listening

_NGINX = """
daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/errors;
events {{}}
http {{
  access_log off;
  # The worker may run as another user, who must not need the folder.
  client_body_buffer_size 1m; proxy_buffering off; proxy_temp_path {folder}/proxy;
  client_body_temp_path {folder}/body; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  map $http_upgrade $connection_upgrade {{ default "upgrade"; '' ''; }}
  upstream service {{ server 127.0.0.1:{service}; keepalive 8; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://service; proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade;
    }}
  }}
}}
"""
_HAPROXY = """
defaults
  mode http
  timeout connect 30s
  timeout client 30s
  timeout server 30s
  http-reuse always
frontend clients
  bind 127.0.0.1:{port}
  default_backend services
backend services
  server service 127.0.0.1:{service}
"""


@contextlib.contextmanager
def nginx(folder: Path, port: int, service: int) -> Iterator[None]:
    """nginx on `port` before the service on another."""
    file = folder / "nginx.conf"
    file.write_text(_NGINX.format(folder=folder, port=port, service=service))
    with listening(
        port, ["nginx", "-p", str(folder), "-e", str(folder / "errors"), "-c", str(file)]
    ):
        yield


@contextlib.contextmanager
def haproxy(folder: Path, port: int, service: int) -> Iterator[None]:
    """HAProxy on `port` before the service on another."""
    file = folder / "haproxy.cfg"
    file.write_text(_HAPROXY.format(port=port, service=service))
    with listening(port, ["haproxy", "-db", "-f", str(file)]):
        yield
