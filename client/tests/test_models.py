"""Changes of what is loaded, before the service itself."""

import json
import shutil
import subprocess
from collections.abc import Iterator

import pytest
from typer.testing import CliRunner

from senet_client import AsyncClient, Client, errors
from senet_client.models_command import add_commands
from senet_client.score.command import application
from tests.real_service import MODELS, PYTHON, ROOT, draw, needs_service, serving

pytestmark = needs_service
add_commands(application)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The URL of a service that has two versions in its repository, and an operator's key."""
    folder = tmp_path_factory.mktemp("service")
    [source] = (MODELS / "imagenette").glob("1/manifest.json")
    for version in (1, 2):
        shutil.copytree(source.parent, folder / "models" / "imagenette" / str(version))
    copy = folder / "models" / "imagenette" / "2" / "manifest.json"
    copy.write_text(json.dumps(json.loads(copy.read_text()) | {"version": 2}))
    words = [PYTHON, "-m", "app", "keys", "add", "operator", "--scope", "admin", "--scope"]
    made = subprocess.run(  # noqa: S603 - the repository's own program
        [*map(str, words), "classify", "--file", str(folder / "keys.json")],
        cwd=ROOT, check=True, capture_output=True, text=True,
    )  # fmt: skip
    arguments = ("--model-repository", str(folder / "models"), "--model", "imagenette:1")
    with serving(*arguments, "--api-keys-file", str(folder / "keys.json")) as url:
        yield url, made.stdout.strip()


def answered(client: Client) -> str:
    return client.classify(draw(1)).model.version


def test_a_swap_and_back(place: tuple[str, str]) -> None:
    with Client(place[0], api_key=place[1]) as client:
        assert client.load("imagenette", 2).versions == {"1": "ready", "2": "ready"}
        with pytest.raises(errors.LoadConflict):
            client.load("imagenette", 2)
        assert answered(client) == "1"
        assert client.set_label("imagenette", "stable", 2).labels == {"stable": "2"}
        assert answered(client) == "2"
        assert client.split("imagenette", {"1": 100, "2": 0}).split == {"1": 100, "2": 0}
        assert answered(client) == "1"
        client.set_label("imagenette", "stable", 1)
        assert client.unload("imagenette", 2).versions == {"1": "ready"}


def test_a_change_that_takes_longer_than_is_waited_is_not_taken_for_done(
    place: tuple[str, str],
) -> None:
    with Client(place[0], api_key=place[1]) as client:
        with pytest.raises(errors.TimedOut, match="goes on"):
            client.load("imagenette", 2, wait_seconds=0)
        while client.model("imagenette").versions.get("2") != "ready":
            pass
        client.unload("imagenette", 2)


def test_what_is_refused(place: tuple[str, str]) -> None:
    with Client(place[0], api_key=place[1]) as client:
        with pytest.raises(errors.LoadRefused, match="find: "):
            client.load("imagenette", 7)
        with pytest.raises(errors.ModelNotFound):
            client.unload("cats", 1)
        with pytest.raises(errors.InvalidParameter):
            client.split("imagenette", {"1": 99})
        with pytest.raises(errors.InvalidParameter):
            client.load("Imagenette", 1)
        for name in ("", "..", "../models", "a b", "-x", "a\n"):
            with pytest.raises(errors.InvalidArgument, match="is not the name"):
                client.load(name, 1)
            with pytest.raises(errors.InvalidArgument, match="is not the name"):
                client.set_label("imagenette", "stable", name)
    with Client(place[0], api_key="unknown") as client, pytest.raises(errors.Unauthenticated):
        client.load("imagenette", 2)


async def test_the_same_without_blocking(place: tuple[str, str]) -> None:
    async with AsyncClient(place[0], api_key=place[1]) as client:
        assert (await client.load("imagenette", 2)).versions == {"1": "ready", "2": "ready"}
        assert (await client.model("imagenette")).default
        assert (await client.unload("imagenette", 2)).versions == {"1": "ready"}


def test_on_the_command_line(place: tuple[str, str]) -> None:
    run = CliRunner(env={"SENET_URL": place[0], "SENET_API_KEY": place[1]})

    def told(*words: str) -> str:
        result = run.invoke(application, words)
        assert result.exit_code == 0, result.output
        return result.output

    assert told("models").startswith("imagenette:1\t")
    assert "imagenette:2\tready\tstable" in told("load", "imagenette", "2", "--stable")
    assert "imagenette:1\tready\t90 %" in told("split", "imagenette", "1=90", "2=10")
    assert "stable" in told("label", "imagenette", "stable", "1")
    assert told("unload", "imagenette", "2") == "imagenette:1\tready\tstable\n"
    assert told("models", "imagenette") == "imagenette:1\tready\tstable\n"
    failed = run.invoke(application, ["load", "imagenette", "7"])
    assert failed.exit_code == 1
    assert "find: " in failed.output
    for weights in (["1=50"], ["1"], ["1=50", "1=50"], ["1=-1", "2=101"]):
        assert run.invoke(application, ["split", "imagenette", *weights]).exit_code == 2
