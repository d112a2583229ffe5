"""`python -m app models` on this machine; real stores are tried by `make test-remote`."""

from pathlib import Path

import pytest

from app.cli.models import manage_models
from app.contract.errors import ConfigurationError
from tests.support.process import run_to_its_end
from tests.support.repository import write_model


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_model(tmp_path / "models", version=1)
    write_model(tmp_path / "models", version=2)
    write_model(tmp_path / "models", name="others")
    return tmp_path / "models"


def test_all_versions_of_all_models_are_verified(root: Path) -> None:
    ended = run_to_its_end("models", "verify", root)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.splitlines() == ["ok     colours:1", "ok     colours:2", "ok     others:1"]


def test_what_is_not_in_order_is_told(root: Path) -> None:
    (root / "colours" / "1" / "golden.logits.npy").unlink()
    model = root / "others" / "1" / "model.fp32.onnx"
    model.write_bytes(model.read_bytes()[:-1])
    code, report = manage_models(["verify", str(root)])
    assert code == 1
    first, second, third = report.splitlines()
    assert first.startswith("FAULT  colours:1  ")
    assert second == "ok     colours:2"
    assert "its manifest says" in third
    assert manage_models(["verify", str(root), "colours:2"]) == (0, "ok     colours:2")
    code, report = manage_models(["verify", str(root), "colours", "cats", "cats:1"])
    assert (code, report.count("\n"), report.count("FAULT")) == (1, 3, 3)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["verify", "missing"], "missing is not a folder"),
        (["verify", "models/others"], "holds no model"),
        (["pull", "models", "colours"], "models is a folder"),
        (["pull", "s3://bucket/models", "colours:x"], "'colours:x' is not the name of a model"),
        (["push", "s3://bucket/models", "colours:0"], "'colours:0' is not the name of a model"),
        (["push", "s3://bucket/models", f"colours:{'9' * 5000}"], "9...' is not the name"),
        (["verify", "models", "../models:1"], "'../models:1' is not the name of a model"),
        (["pull", "s3://bucket/models", "colours"], "install the extra s3"),
        (["verify", "gs://bucket/models"], "install the extra gs"),
        (["verify", "https://host/models"], "install the extra https"),
        (["push", "https://host/models", "colours"], "web servers are read only"),
        (["pull", "ftp://host", "colours"], "'ftp://host' is not a repository"),
        (["push", "s3://bucket/models", "colours:9"], "colours:9 is not in"),
    ],
)
def test_what_cannot_be_done_is_one_error(
    arguments: list[str], told: str, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(root.parent)
    with pytest.raises(ConfigurationError, match=told):
        manage_models(arguments)


@pytest.mark.parametrize("arguments", [[], ["pull"], ["copy"], ["push", "s3://bucket"]])
def test_a_command_line_that_is_none(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as raised:
        manage_models(arguments)
    assert raised.value.code == 2
    assert "usage" in capsys.readouterr().err


def test_a_service_whose_store_has_no_package_says_which() -> None:
    ended = run_to_its_end("--port", "0", "--model-repository", "s3://bucket/models")
    assert ended.returncode == 2
    assert "install the extra s3" in ended.stderr.splitlines()[-1]
