"""A Unix socket, and one that systemd passes."""

import os
import signal
import socket
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from app.contract.errors import ConfigurationError
from app.transport.local_sockets import passed_socket, unix_socket
from tests.support.colours import COLOURS
from tests.support.http import post_image, top_classes
from tests.support.images import encode, photo
from tests.support.process import ServiceProcess
from tests.support.waiting import eventually

PICTURE = encode(photo(COLOURS[2]))


@pytest.fixture
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Short enough for the kernel, which takes 107 bytes."""
    return tmp_path_factory.mktemp("s") / "senet.sock"


def test_a_socket_is_for_the_user_and_the_group_of_the_service(path: Path) -> None:
    with unix_socket(path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o660


def test_one_that_was_left_behind_is_replaced(path: Path) -> None:
    unix_socket(path).close()
    assert path.is_socket()
    with unix_socket(path), socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))


def test_one_that_is_in_use_is_left_alone(path: Path) -> None:
    with unix_socket(path), socket.socket(socket.AF_UNIX) as client:
        with pytest.raises(ConfigurationError, match="another process listens"):
            unix_socket(path)
        client.connect(str(path))


def test_a_file_that_is_no_socket_is_left_alone(path: Path) -> None:
    path.write_text("precious")
    with pytest.raises(ConfigurationError, match="not a socket"):
        unix_socket(path)
    assert path.read_text() == "precious"


@pytest.mark.parametrize("name", ["missing/senet.sock", "x" * 200, ".", "a/../../b/c"])
def test_a_path_that_cannot_be_is_one_clear_error(path: Path, name: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        unix_socket(path.parent / name)
    assert caught.value.option == "uds"


@pytest.mark.parametrize(
    "variables",
    [{}, {"LISTEN_PID": "1", "LISTEN_FDS": "1"}, {"LISTEN_FDS": "1"}, {"LISTEN_PID": "x"}],
)
def test_sockets_for_others_are_not_taken(variables: dict[str, str]) -> None:
    assert passed_socket(variables) is None


@pytest.mark.parametrize("count", ["0", "2", "many", ""])
def test_exactly_one_socket_can_be_served(count: str) -> None:
    with pytest.raises(ConfigurationError, match="ListenStream"):
        passed_socket({"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": count})


Start = Callable[..., ServiceProcess]


@pytest.fixture
def start(tmp_path: Path, repository: Path) -> Iterator[Start]:
    started: list[ServiceProcess] = []

    def start(*arguments: str | Path) -> ServiceProcess:
        options = ("--model-repository", repository, "--model", "colours", *arguments)
        process = ServiceProcess(tmp_path, *options)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()


def test_the_service_classifies_on_a_unix_socket(start: Start, path: Path) -> None:
    process = start("--uds", path, "--forwarded-allow-ips", "*")
    eventually(lambda: path.is_socket() or bool(process.errors))
    transport = httpx.HTTPTransport(uds=str(path), retries=3)
    with httpx.Client(transport=transport, base_url="http://localhost") as client:
        eventually(lambda: client.get("/readyz").status_code == 200)
        behind = {"x-forwarded-for": "192.0.2.7"}
        assert top_classes(post_image(client, PICTURE, headers=behind)) == [2]
        assert top_classes(post_image(client, PICTURE)) == [2]
    process.send_signal(signal.SIGTERM)
    assert process.wait() == 0
    assert process.errors == ""
    callers = [entry["caller"] for entry in process.log if entry["message"] == "request"]
    assert callers == ["192.0.2.7", "unknown"]
    # Nobody is warned of strangers, who cannot reach it.
    assert not [entry for entry in process.log if str(entry["level"]).lower() == "warning"]
