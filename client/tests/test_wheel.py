"""The wheel alone, in an environment that holds nothing else."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fake_service import FakeService, best_class, listening, url_of
from tests.real_service import draw, needs_service, serving

CLIENT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of a fresh environment into which only the wheel was installed."""
    folder = tmp_path_factory.mktemp("wheel")
    python = folder / "environment" / "bin" / "python"

    def command(*words: object) -> None:
        subprocess.run([sys.executable, "-m", *map(str, words)], cwd=CLIENT, check=True)  # noqa: S603 - ours

    command("hatchling", "build", "--target", "wheel", "--directory", folder)
    command("uv", "venv", "--quiet", folder / "environment")
    [wheel] = folder.glob("senet_client-*.whl")
    command("uv", "pip", "install", "--quiet", "--python", python, wheel)
    return python


def run(python: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(  # noqa: S603 - the environment's Python
        [str(python), *words], capture_output=True, text=True, check=False, cwd="/", env=clean
    )


def test_it_brings_httpx_and_little_else(python: Path) -> None:
    listed = subprocess.run(  # noqa: S603 - ours
        [sys.executable, "-m", "uv", "pip", "list", "--format", "json", "--python", str(python)],
        capture_output=True,
        check=True,
    )
    names = {package["name"] for package in json.loads(listed.stdout)}

    assert {"httpx", "senet-client"} < names
    assert names <= {"anyio", "certifi", "h11", "httpcore", "httpx", "idna", "senet-client"} | {
        "sniffio",
        "typing-extensions",
    }


def test_it_classifies(python: Path) -> None:
    program = (
        "import sys, senet_client\n"
        "with senet_client.Client(sys.argv[1]) as client:\n"
        "    answer = client.classify(b'photo', include=['embedding'])\n"
        "print(answer.predictions[0].class_index, type(answer.embedding).__name__)\n"
    )
    with listening(FakeService()) as server:
        done = run(python, "-c", program, url_of(server))

    assert (done.stdout, done.stderr) == (f"{best_class(b'photo')} list\n", "")


@needs_service
def test_it_works_with_the_service_itself(python: Path, tmp_path: Path) -> None:
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(draw(1))
    program = (
        "import sys, senet_client\n"
        "with senet_client.Client(sys.argv[1]) as client:\n"
        "    best = client.classify(sys.argv[2]).predictions[0]\n"
        "print(best.rank, 0 < best.score <= 1)\n"
    )
    with serving() as url:
        done = run(python, "-c", program, url, str(photo))

    assert (done.stdout, done.stderr) == ("1 True\n", "")


def test_it_is_typed(python: Path) -> None:
    program = (
        "from importlib.resources import files\n"
        "print((files('senet_client') / 'py.typed').is_file())\n"
    )

    done = run(python, "-c", program)

    assert done.stdout == "True\n"


def test_the_command_says_what_it_needs(python: Path) -> None:
    done = run(python, "-m", "senet_client", "score", "x", "--output", "y.csv")

    assert done.returncode == 2
    assert "pip install './client[score]'" in done.stderr
    assert "Traceback" not in done.stderr
