"""The units are what systemd takes, and the service takes what systemd passes."""

import re
import signal
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from app.settings import Settings
from tests.deploy.files import DEPLOY
from tests.support.colours import COLOURS
from tests.support.http import post_image, top_classes
from tests.support.images import encode, photo
from tests.support.process import ServiceProcess
from tests.support.waiting import eventually

FOLDER = DEPLOY / "systemd"
UNIT = (FOLDER / "senet-serving.service").read_text()
PICTURE = encode(photo(COLOURS[2]))


def options() -> dict[str, str]:
    """Those of the file of options, by their names."""
    lines = re.findall(r"^SENET_(\w+)=(.*)$", (FOLDER / "options.env").read_text(), re.MULTILINE)
    return {name.lower(): value for name, value in lines}


def test_systemd_takes_the_units(tool: Callable[[str], str], tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\n")
    python.chmod(0o755)
    unit = tmp_path / "senet-serving.service"
    # What is run must be there.
    unit.write_text(UNIT.replace("/opt/senet/venv/bin/python", str(python)))
    (tmp_path / "senet-serving.socket").write_text((FOLDER / "senet-serving.socket").read_text())
    ended = subprocess.run(
        [tool("systemd-analyze"), "verify", unit, tmp_path / "senet-serving.socket"],
        capture_output=True, text=True, check=False, env={"SYSTEMD_UNIT_PATH": f"{tmp_path}:"},
    )  # fmt: skip
    assert (ended.returncode, ended.stderr) == (0, "")


def test_a_misspelt_directive_would_be_noticed(tool: Callable[[str], str], tmp_path: Path) -> None:
    unit = tmp_path / "wrong.service"
    unit.write_text("[Service]\nExecStart=/bin/true\nMemoryMaximum=1G\n")
    ended = subprocess.run(
        [tool("systemd-analyze"), "verify", unit], capture_output=True, text=True, check=False
    )
    assert "MemoryMaximum" in ended.stderr


def test_the_options_are_the_services(repository: Path) -> None:
    given = options()
    assert set(given) <= set(Settings.model_fields)
    assert Settings.model_validate(given | {"model_repository": repository})
    assert re.fullmatch(r"\S+:\d+", given["model"]), "a restart could change what serves"
    [stop] = re.findall(r"^TimeoutStopSec=(\d+)$", UNIT, re.MULTILINE)
    assert int(stop) > float(given["drain_seconds"]) + 10
    [files] = re.findall(r"^LimitNOFILE=(\d+)$", UNIT, re.MULTILINE)
    assert int(files) > Settings.model_fields["max_connections"].default


@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_the_service_takes_the_socket_that_systemd_passes(
    tool: Callable[[str], str],
    tmp_path_factory: pytest.TempPathFactory,
    repository: Path,
    kind: str,
) -> None:
    # Short enough for the kernel, which takes 107 bytes.
    folder = tmp_path_factory.mktemp("s")
    with socket.create_server(("127.0.0.1", 0)) as chosen:
        port = chosen.getsockname()[1]
    path = str(folder / "senet.sock") if kind == "unix" else None
    listen = path or f"127.0.0.1:{port}"
    process = ServiceProcess(
        folder, "--model-repository", repository, "--model", "colours",
        wrapper=(tool("systemd-socket-activate"), "--listen", listen),
    )  # fmt: skip
    transport = httpx.HTTPTransport(uds=path)
    try:
        with httpx.Client(transport=transport, base_url=f"http://127.0.0.1:{port}") as client:
            eventually(lambda: is_ready(client))
            assert top_classes(post_image(client, PICTURE)) == [2]
        process.send_signal(signal.SIGTERM)
        assert process.wait() == 0
        assert f"listening on {listen}" in [entry["message"] for entry in process.log]
    finally:
        process.kill()


def is_ready(client: httpx.Client) -> bool:
    """It may not listen yet, nor be ready."""
    try:
        return client.get("/readyz").status_code == 200
    except httpx.TransportError:
        return False
