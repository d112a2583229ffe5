"""Whatever a server does, it runs for the length of its block and no longer."""

import os
import signal
import sys
from pathlib import Path

import pytest

from app.contract.errors import ConfigurationError
from tests.support.waiting import eventually
from tools.loadtools.process import NotReady, Server, free_port

# Answers 200 to everybody, after the statement that stands before it.
SERVE = """
import os, signal, subprocess, sys
from http.server import BaseHTTPRequestHandler, HTTPServer

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass

{first}
HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


def server(first: str = "", port: int = 0, cores: tuple[int, ...] = ()) -> Server:
    command = [sys.executable, "-c", SERVE.replace("{first}", first), "{port}"]
    return Server(command, port=port, cores=cores)


def is_there(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def test_it_is_ready_inside_and_ended_after() -> None:
    with server() as running:
        assert running.exit_code is None
        assert running.ready_seconds > 0
        assert running.resident_mib > 1
        assert (running.threads, running.open_files >= 3) == (1, True)
    assert running.exit_code == -signal.SIGTERM


def test_one_that_ends_at_once_is_refused_with_its_own_words() -> None:
    with (
        pytest.raises(NotReady, match="did not get ready: no model") as raised,
        server("sys.exit('no model')"),
    ):
        pytest.fail("it runs")
    assert raised.value.reason == "no model"


def test_whoever_listens_already_is_not_measured_instead() -> None:
    port = free_port()
    with server(port=port), pytest.raises(ConfigurationError) as raised, server(port=port):
        pytest.fail("it runs")
    assert raised.value.option == "--port"


def test_it_stays_on_its_cores_and_this_process_on_its_own(tmp_path: Path) -> None:
    own = os.sched_getaffinity(0)
    file = tmp_path / "cores"
    with server(f"open({str(file)!r}, 'w').write(str(os.sched_getaffinity(0)))", cores=(min(own),)):
        assert file.read_text() == str({min(own)})
    assert os.sched_getaffinity(0) == own


@pytest.mark.parametrize("ignores", ["", "signal.signal(signal.SIGTERM, signal.SIG_IGN); "])
def test_what_it_has_started_ends_with_it(
    tmp_path: Path, ignores: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tools.loadtools.process._STOP_SECONDS", 0.1)
    file = tmp_path / "child"
    child = "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(1000)']).pid"
    with server(f"{ignores}open({str(file)!r}, 'w').write(str({child}))"):
        pid = int(file.read_text())
        assert is_there(pid)
    eventually(lambda: not is_there(pid))
