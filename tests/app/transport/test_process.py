"""`python -m app` from start to exit code, with ONNX Runtime and a real model."""

import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.support.colours import COLOURS
from tests.support.http import assert_problem, post_image, top_classes
from tests.support.images import encode, photo
from tests.support.looping import SLOW_ON_BLACK, write_looping_model
from tests.support.metrics import value
from tests.support.process import ROOT, ServiceProcess, run_to_its_end
from tests.support.waiting import eventually

PICTURES = [encode(photo(colour)) for colour in COLOURS]
Start = Callable[..., ServiceProcess]


@pytest.fixture
def start(tmp_path: Path, repository: Path) -> Iterator[Start]:
    started: list[ServiceProcess] = []

    def start(*arguments: str | Path) -> ServiceProcess:
        process = ServiceProcess(
            tmp_path, "--model-repository", repository, "--model", "colours", *arguments
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()


def test_the_service_imports_neither_torch_nor_what_exports_models() -> None:
    script = (
        "import sys, app.transport.http.composition, app.transport.process, app.__main__;"
        "print([name for name in ('torch', 'onnx', 'senet', 'scripts') if name in sys.modules])"
    )
    found = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert found.stdout == "[]\n"


def test_sigterm_under_load_loses_no_accepted_request(start: Start) -> None:
    process = start("--max-batch-size", "4")
    process.wait_until_ready()
    outcomes: list[str] = []
    wrong: list[str] = []
    signalled = threading.Event()

    def keep_asking(first: int) -> None:
        """Asks until refused; nothing but an answer or a clean refusal may come."""
        with process.client() as client:
            for turn in range(10_000):
                index = (first * 7 + turn) % len(COLOURS)
                try:
                    response = post_image(client, PICTURES[index])
                except httpx.ConnectError:
                    outcomes.append("no connection")
                    return
                except httpx.RemoteProtocolError:
                    # An idle kept-alive connection was closed as the request went out, which
                    # HTTP allows. That none was accepted is proved by the counts below.
                    outcomes.append("closed")
                    return
                if response.status_code == 503:
                    outcomes.append("refused")
                    return
                outcomes.append("answered")
                if top_classes(response) != [index]:
                    wrong.append(response.text)
                if len(outcomes) > 80:
                    signalled.set()

    with ThreadPoolExecutor(8) as threads:
        clients = [threads.submit(keep_asking, first) for first in range(8)]
        assert signalled.wait(30)
        process.send_signal(signal.SIGTERM)
        for client in clients:
            client.result()
    assert process.wait() == 0
    assert wrong == []
    # One request may be under way as the signal comes; each client's last one is refused.
    assert len(outcomes) - outcomes.count("answered") == 8
    accepted = [
        entry for entry in process.log if entry["message"] == "request" and entry["status"] == 200
    ]
    assert len(accepted) == outcomes.count("answered")
    assert process.errors == ""
    assert [entry["message"] for entry in process.log][-1] == "stopped"


def test_a_second_signal_stops_at_once(start: Start) -> None:
    # The batch never fills, so that the request would stay queued for ten seconds.
    process = start("--max-queue-delay-ms", "10000", "--request-timeout-ms", "20000")
    process.wait_until_ready()
    with process.client() as client, ThreadPoolExecutor(1) as threads:
        queued = threads.submit(post_alone, process)
        eventually(lambda: value(client, "senet_images_in_flight") == 1)
        process.send_signal(signal.SIGINT)
        eventually(lambda: client.get("/readyz").status_code == 503)
        assert_problem(post_image(client, PICTURES[0]), 503, "draining")
        process.send_signal(signal.SIGTERM)
        with pytest.raises((AssertionError, httpx.HTTPError)):
            top_classes(queued.result())
    process.wait()
    assert "stopping at once" in [entry["message"] for entry in process.log]


def post_alone(process: ServiceProcess) -> httpx.Response:
    with process.client() as client:
        return post_image(client, PICTURES[0])


@pytest.mark.parametrize(("host", "warns"), [("127.0.0.1", False), ("0.0.0.0", True)])  # noqa: S104 - that is the point
def test_who_listens_to_everybody_without_keys_is_told(
    start: Start, host: str, warns: bool
) -> None:
    process = start("--host", host)
    process.wait_until_ready()
    warnings = [str(entry["message"]) for entry in process.log if entry["level"] == "WARNING"]
    assert any("without API keys" in warning for warning in warnings) is warns


def test_a_mistake_ends_in_one_line_and_no_traceback(tmp_path: Path) -> None:
    ended = run_to_its_end("--port", "0", "--model-repository", tmp_path / "missing")
    assert ended.returncode == 2
    [line] = ended.stderr.splitlines()
    assert line.startswith("error: model_repository: ")
    assert "Traceback" not in ended.stdout


def test_sigterm_before_the_server_runs_ends_it_cleanly(start: Start) -> None:
    process = start()
    # Its handler stands before anything heavy is imported.
    eventually(process.hears_sigterm)
    process.send_signal(signal.SIGTERM)
    assert process.wait() == 0
    assert process.errors == ""


def test_sigterm_during_warm_up_does_not_wait_for_its_end(start: Start, tmp_path: Path) -> None:
    # Nine batches of seconds each: their end would come after the bound of `wait`.
    write_looping_model(tmp_path / "slow", SLOW_ON_BLACK)
    process = start("--model-repository", tmp_path / "slow", "--max-batch-size", "256")
    with process.client() as client:
        assert client.get("/livez").status_code == 200
        assert_problem(client.get("/readyz"), 503, "not_ready")
    process.send_signal(signal.SIGTERM)
    assert process.wait() == 0
    assert process.errors == ""
    messages = [str(entry["message"]) for entry in process.log]
    assert messages[-1] == "stopped"
    assert not any(message.startswith("ready") for message in messages)
