"""Google's and Azure's libraries against stand-ins of what they ask."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.repository import write_model

from .conftest import Start, run
from .stand_ins import Objects, azure, google, standing

Place = tuple[str, Objects]


@pytest.fixture(params=["gs", "az"])
def place(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Place]:
    """The URI of a repository with two versions, and the objects behind it."""
    for version in (1, 2):
        write_model(tmp_path / "local", version=version)
    objects = {
        f"all/models/{path.relative_to(tmp_path / 'local').as_posix()}": path.read_bytes()
        for path in sorted((tmp_path / "local").rglob("*"))
        if path.is_file()
    }
    with standing(google if request.param == "gs" else azure, objects) as port:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{port}")
        monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "p")
        monkeypatch.setenv("NO_GCE_CHECK", "true")
        monkeypatch.setenv(
            "AZURE_STORAGE_CONNECTION_STRING",
            "DefaultEndpointsProtocol=http;AccountName=stand;AccountKey=Yg==;"
            f"BlobEndpoint=http://127.0.0.1:{port}/stand;",
        )
        yield f"{request.param}://models/all/models", objects


def test_versions_are_found_copied_and_verified(place: Place, tmp_path: Path) -> None:
    uri, objects = place
    code, text = run("models", "verify", uri)
    assert code == 0, text
    assert text.splitlines()[:2] == ["ok     colours:1", "ok     colours:2"]
    code, text = run("models", "pull", uri, "colours", "--repository", tmp_path / "here")
    assert code == 0, text
    assert (tmp_path / "here" / "colours" / "2" / "manifest.json").is_file()
    name = "all/models/colours/2/model.fp32.onnx"
    objects[name] = objects[name][:-1]
    code, text = run("models", "verify", uri)
    assert code == 1
    assert "its manifest says" in text
    del objects[name]
    code, text = run("models", "verify", uri, "colours:2")
    assert code == 1
    assert "model.fp32.onnx is not there" in text
    code, text = run("models", "verify", uri, "cats")
    assert code == 1
    assert "which holds colours" in text


def test_a_service_serves_from_there(place: Place, start: Start, tmp_path: Path) -> None:
    uri, _ = place
    service = start(
        "service", "--model-repository", uri, "--model", "colours", "--cache-directory",
        tmp_path / "cache",
    )  # fmt: skip
    service.wait_until_ready()
    with service.client() as client:
        [model] = client.get("/models").json()["models"]
        assert (model["name"], model["version"]) == ("colours", "2")
