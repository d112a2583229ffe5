"""A TCP proxy that may cut what comes back."""

import contextlib
import socket
import socketserver
import threading
from collections.abc import Iterator

_CHUNK = 4096


class CuttingProxy(socketserver.ThreadingTCPServer):
    """Hands bytes on to another server of this machine.

    Attributes:
        cut: a part of a path: the bodies of answers to GET requests for such paths are cut in the
            middle; None to cut nothing.
        is_silent: whether nothing of what is asked is handed on.
        silenced: how many requests were not.
    """

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, port: int) -> None:
        self.cut: str | None = None
        self.is_silent = False
        self.silenced = 0
        self.behind = port
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(socketserver.BaseRequestHandler):
    server: CuttingProxy

    def handle(self) -> None:
        self.is_cut = False
        with socket.create_connection(("127.0.0.1", self.server.behind)) as behind:
            asking = threading.Thread(target=self._ask, args=(behind,))
            asking.start()
            with contextlib.suppress(OSError):
                while data := behind.recv(_CHUNK):
                    if self.is_cut:
                        head, end, body = data.partition(b"\r\n\r\n")
                        self.request.sendall(head + end + body[: len(body) // 2])
                        break
                    self.request.sendall(data)
            for side in (self.request, behind):
                with contextlib.suppress(OSError):
                    side.shutdown(socket.SHUT_RDWR)
            asking.join()

    def _ask(self, behind: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := self.request.recv(_CHUNK):
                if self.server.is_silent:
                    self.server.silenced += 1
                    continue
                first = data.partition(b"\r\n")[0].decode("latin-1")
                cut = self.server.cut
                self.is_cut = cut is not None and first.startswith("GET ") and cut in first
                behind.sendall(data)


@contextlib.contextmanager
def cutting_proxy(port: int) -> Iterator[CuttingProxy]:
    """A proxy in front of the server at a port."""
    with CuttingProxy(port) as proxy:
        thread = threading.Thread(target=proxy.serve_forever)
        thread.start()
        try:
            yield proxy
        finally:
            proxy.shutdown()
            thread.join()
