"""Servers side by side: started together, loaded together, none left behind."""

import sys
from pathlib import Path

import pytest

from tools.gpu import open_loop, several
from tools.loadtools.bodies import Bodies, multipart, raw
from tools.loadtools.process import NotReady, Server

# Answers every request, whatever it is, and reads its body.
ANSWERS = """
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self.send_response(200 if self.path in ("/readyz", "/one", "/form") else 404)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"{}")
    do_POST = do_GET
    def log_message(self, *args): pass
class Listener(http.server.ThreadingHTTPServer):
    request_queue_size = 128
Listener(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""
FAILS = "raise SystemExit('no card')"


def server(code: str = ANSWERS) -> Server:
    command = [sys.executable, "-c", code, "{port}"]
    return Server(command, path="/one", form_path="/form")


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    file = tmp_path / "photo.jpg"
    file.write_bytes(b"x" * 2000)
    return file


@pytest.mark.parametrize("images", [1, 3])
def test_the_open_loop_counts_what_all_of_them_answer(
    photo: Path, tmp_path: Path, images: int
) -> None:
    bodies = raw([photo]) if images == 1 else multipart([photo], images, tmp_path)
    servers = [server(), server()]
    with several.started(servers):
        found = open_loop.offer(servers, bodies, 100, 0.4)
    # Poisson arrivals of 40 on average, the same in every run.
    assert 20 < found.rate * 0.4 < 60
    assert found.failed == 0
    assert 0 < found.p50_ms <= found.p99_ms


def test_no_share_of_nothing(photo: Path) -> None:
    with pytest.raises(ValueError, match="nothing was answered"):
        open_loop.offer([server()], Bodies("image/jpeg", (photo,)), 0, 1)


def test_if_one_does_not_start_the_others_are_stopped() -> None:
    good, bad = server(), server(FAILS)
    with pytest.raises(NotReady, match="no card"), several.started([good, bad]):
        raise AssertionError("it is not ready")
    assert good.exit_code is not None
    assert bad.exit_code is not None


def test_they_are_stopped_at_the_end() -> None:
    servers = [server(), server()]
    with several.started(servers):
        assert [each.exit_code for each in servers] == [None, None]
        assert all(each.ready_seconds > 0 for each in servers)
    assert None not in [each.exit_code for each in servers]
