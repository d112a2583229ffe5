"""What a user installs: the wheel alone, in an environment of its own, in another folder."""

import os
import re
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import httpx
import pytest

from app.version import VERSION
from tests.package.conftest import ROOT
from tests.support.images import encode, photo
from tests.support.waiting import BOUND_SECONDS, eventually


def run(
    environment: Path, folder: Path, command: str, *arguments: str | Path
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [environment / "bin" / command, *arguments],
        cwd=folder,
        env=clean(),
        capture_output=True,
        text=True,
        timeout=10 * BOUND_SECONDS,
        check=False,
    )


def clean() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


def test_it_holds_the_code_its_types_and_the_default_model(wheel: Path) -> None:
    assert wheel.name == f"senet_serving-{VERSION}-py3-none-any.whl"
    names = set(zipfile.ZipFile(wheel).namelist())

    assert {f"{package}/py.typed" for package in ("app", "senet", "scripts")} <= names
    model = {file.name for file in (ROOT / "models" / "imagenette" / "1").iterdir()}
    assert {name.rpartition("/")[2] for name in names if name.startswith("app/models/")} == model
    folders = {name.partition("/")[0] for name in names}
    assert folders == {"app", "senet", "scripts", f"senet_serving-{VERSION}.dist-info"}


def test_it_says_where_it_comes_from_and_what_it_offers(wheel: Path) -> None:
    dist = f"senet_serving-{VERSION}.dist-info"
    with zipfile.ZipFile(wheel) as file:
        metadata = file.read(f"{dist}/METADATA").decode()
        scripts = file.read(f"{dist}/entry_points.txt").decode()

    assert set(re.findall(r"^Provides-Extra: (\S+)$", metadata, re.MULTILINE)) >= {
        "cpu",
        "gpu",
        "export",
        "otel",
    }
    assert "Provides-Extra: dev" not in metadata
    assert set(re.findall(r"^Project-URL: (\w+),", metadata, re.MULTILINE)) == {
        "Documentation",
        "Source",
        "Changelog",
    }
    assert "senet-serving = app.__main__:main" in scripts
    assert "senet = scripts.command:main" in scripts


def test_it_serves_the_default_model_from_any_folder(environment: Path, tmp_path: Path) -> None:
    output = tmp_path / "log"
    with output.open("wb") as log:
        service = subprocess.Popen(
            [environment / "bin" / "senet-serving", "serve", "--port", "0"],
            cwd=tmp_path,
            env=clean(),
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        eventually(
            lambda: (
                service.poll() is not None
                or re.search(r'"message": ?"ready', output.read_text()) is not None
            )
        )
        listening = re.search(r"listening on ([\d.]+:\d+)", output.read_text())
        assert listening is not None, output.read_text()
        url = f"http://{listening[1]}"
        models = httpx.get(f"{url}/models").json()["models"]
        answer = httpx.post(
            f"{url}/classify",
            content=encode(photo((90, 120, 60)), "JPEG"),
            headers={"content-type": "image/jpeg"},
        )
    finally:
        service.send_signal(signal.SIGTERM)
        code = service.wait(BOUND_SECONDS)

    assert [model["name"] for model in models] == ["imagenette"]
    assert answer.status_code == 200
    assert len(answer.json()["results"][0]["predictions"]) == 5
    assert code == 0


def test_the_doctor_finds_everything(environment: Path, tmp_path: Path) -> None:
    ended = run(environment, tmp_path, "senet-serving", "doctor")

    assert ended.returncode == 0, ended.stdout
    assert "imagenette:1" in ended.stdout


def test_keys_are_made(environment: Path, tmp_path: Path) -> None:
    made = run(environment, tmp_path, "senet-serving", "keys", "add", "shop", "--file", "keys.json")

    assert made.returncode == 0, made.stderr
    assert "shop" in (tmp_path / "keys.json").read_text()


def test_a_type_checker_sees_its_types(environment: Path, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "from app.settings import Settings\n"
        "from senet.se import SqueezeExcitation\n"
        "reveal_type(Settings().port)\n"
    )
    python = environment / "bin" / "python"
    ended = subprocess.run(
        [sys.executable, "-m", "mypy", "--python-executable", python, "--strict", program],
        cwd=tmp_path,
        env=clean(),
        capture_output=True,
        text=True,
        check=False,
    )

    assert re.search(r'Revealed type is "(builtins\.)?int"', ended.stdout), ended.stdout
    assert "py.typed" not in ended.stdout


COMMANDS = ["train", "export", "evaluate", "compare", "score-ray", "gates"]


@pytest.mark.parametrize("command", COMMANDS)
def test_without_torch_the_command_says_what_it_needs(
    environment: Path, tmp_path: Path, command: str
) -> None:
    ended = run(environment, tmp_path, "senet", command)

    assert ended.returncode == 2
    assert re.match(rf"error: senet {command} needs \w+; install .* extras", ended.stderr)


def test_the_command_lists_its_commands(environment: Path, tmp_path: Path) -> None:
    listed = run(environment, tmp_path, "senet")
    assert listed.returncode == 0
    assert re.findall(r"^  (\w+)", listed.stdout, re.MULTILINE)[:3] == [
        "train",
        "export",
        "evaluate",
    ]

    wrong = run(environment, tmp_path, "senet", "serve")
    assert (wrong.returncode, wrong.stdout) == (2, "")
