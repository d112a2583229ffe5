"""`python -m app doctor` finds what would keep the service from starting, and says so."""

import importlib.util
import json
import socket
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

import pytest

from app.cli.doctor import machine
from app.cli.doctor.command import examine
from app.hardware import available_cores
from app.selection import configured
from app.settings import Settings
from tests.support.engines import FakeEngines
from tests.support.process import run_to_its_end
from tests.support.repository import write_model
from tests.support.server import running


def findings(*arguments: str | Path) -> tuple[int, dict[str, dict[str, Any]]]:
    """The exit code and the findings by subject."""
    code, report = examine([*map(str, arguments), "--json"])
    parsed = json.loads(report)
    assert parsed["healthy"] == (code == 0)
    return code, {finding["subject"]: finding for finding in parsed["findings"]}


@pytest.fixture
def options(repository: Path) -> list[str | Path]:
    return ["--port", "0", "--model", "colours", "--model-repository", repository]


def test_a_machine_in_order(options: list[str | Path]) -> None:
    ended = run_to_its_end("doctor", *options)
    assert (ended.returncode, ended.stderr) == (0, "")
    for subject in ("python", "libraries", "onnxruntime", "cores", "memory limit", "models"):
        assert f"  {subject}" in ended.stdout
    assert "FAULT" not in ended.stdout
    assert "colours:1 fp32 verified, warmed and self-tested" in ended.stdout


def test_what_the_service_would_choose_is_told(options: list[str | Path], tmp_path: Path) -> None:
    cores = available_cores()
    _, found = findings(
        *options, "--cache-directory", tmp_path / "cache", "--inference-threads", "1"
    )
    engine = found["provider cpu"]["detail"].partition("; ")[2]
    assert engine.startswith(f"fp32 1x{cores}, ")
    assert engine.endswith(", by setting")
    assert found["cache"] == {
        "subject": "cache",
        "verdict": "ok",
        "detail": f"{tmp_path / 'cache'}, nothing measured yet",
    }


def test_a_cache_folder_that_cannot_be_made(options: list[str | Path], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    code, found = findings(*options, "--cache-directory", tmp_path / "file" / "cache")
    assert code == 0
    assert found["cache"]["verdict"] == "ok"
    assert "measured at each start" in found["cache"]["detail"]


def test_an_empty_model_volume(tmp_path: Path) -> None:
    code, found = findings("--port", "0", "--model-repository", tmp_path)
    assert code == 1
    assert found["provider cpu"]["verdict"] == "fault"
    assert "which holds no model" in found["provider cpu"]["detail"]


def test_every_model_is_looked_at(tmp_path: Path) -> None:
    write_model(tmp_path)
    damaged = write_model(tmp_path, name="others") / "model.fp32.onnx"
    damaged.write_bytes(damaged.read_bytes()[:-1])
    options = ("--port", "0", "--models", "all", "--model-repository", tmp_path)
    code, found = findings(*options)
    assert code == 1
    assert found["colours on provider cpu"]["verdict"] == "ok"
    assert "its manifest says" in found["others on provider cpu"]["detail"]
    damaged.write_bytes((tmp_path / "colours" / "1" / "model.fp32.onnx").read_bytes())
    assert findings(*options)[0] == 0


def test_all_models_of_an_empty_volume(tmp_path: Path) -> None:
    code, found = findings("--port", "0", "--models", "all", "--model-repository", tmp_path)
    assert code == 1
    assert "holds no model" in found["providers"]["detail"]


def test_a_model_that_was_damaged_on_its_way(tmp_path: Path) -> None:
    with (write_model(tmp_path) / "model.fp32.onnx").open("ab") as file:
        file.write(b"x")
    code, found = findings("--port", "0", "--model", "colours", "--model-repository", tmp_path)
    assert code == 1
    assert "its manifest says" in found["provider cpu"]["detail"]


def test_a_provider_that_is_not_there(options: list[str | Path]) -> None:
    code, found = findings(*options, "--provider", "cuda")
    assert code == 1
    assert "CUDAExecutionProvider is not in this build" in found["providers"]["detail"]


def test_a_shared_object_that_does_not_load_is_named(
    options: list[str | Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As a GPU build has them, in a build of the test's own.
    origin = tmp_path / "onnxruntime" / "__init__.py"
    libraries = origin.parent / "capi"
    libraries.mkdir(parents=True)
    for name in ("shared", "cuda"):
        (libraries / f"libonnxruntime_providers_{name}.so").write_text("no shared object")
    spec = ModuleSpec("onnxruntime", None, origin=str(origin))
    monkeypatch.setattr(importlib.util, "find_spec", {"onnxruntime": spec}.get)
    code, found = findings(*options)
    assert code == 0
    assert found["cuda libraries"]["verdict"] == "warning"
    assert "libonnxruntime_providers_" in found["cuda libraries"]["detail"]
    assert "tensorrt libraries" not in found


def test_a_limit_too_small_for_the_model(
    options: list[str | Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (machine, configured):
        monkeypatch.setattr(module, "memory_limit_bytes", lambda: 64 * 2**20)
    code, found = findings(*options)
    assert code == 1
    assert found["memory limit"]["detail"] == "64 MiB"
    assert "the container's limit is 64 MiB" in found["provider cpu"]["detail"]


@pytest.mark.parametrize(
    ("quota", "verdict", "text"),
    [(0.5, "warning", "below one core"), (1.5, "warning", "whole ones"), (2.0, "ok", "quota")],
)
def test_the_quota_is_judged(
    options: list[str | Path],
    monkeypatch: pytest.MonkeyPatch,
    quota: float,
    verdict: str,
    text: str,
) -> None:
    monkeypatch.setattr(machine, "core_quota", lambda: quota)
    code, found = findings(*options)
    assert code == 0
    assert found["cores"]["verdict"] == verdict
    assert text in found["cores"]["detail"]


def test_a_port_that_somebody_else_has(repository: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        # It accepts and never answers, as a wrong service might.
        code, found = findings(
            "--port", str(port), "--model", "colours", "--model-repository", repository
        )
    assert code == 1
    assert "choose another --port" in found["port"]["detail"]


def test_a_port_that_the_service_itself_has(
    repository: Path, make_settings: Callable[..., Settings]
) -> None:
    with running(make_settings(), FakeEngines()) as live:
        code, found = findings(
            "--port", str(live.port), "--model", "colours", "--model-repository", repository
        )
    assert code == 0
    assert "served by this service already" in found["port"]["detail"]


def test_both_ports_are_looked_at(options: list[str | Path]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        code, found = findings(*options, "--operations-port", str(port))
    assert code == 1
    assert found["port"]["verdict"] == "ok"
    assert "choose another --operations-port" in found["operations port"]["detail"]


@pytest.mark.parametrize("is_ours", [True, False])
def test_the_grpc_port_is_looked_at(
    make_settings: Callable[..., Settings], options: list[str | Path], *, is_ours: bool
) -> None:
    with running(make_settings(grpc_port=0), FakeEngines()) as live:
        own = ["--port", str(live.port)] if is_ours else []
        code, found = findings(*options, *own, "--grpc-port", str(live.grpc_port))
    assert code == (0 if is_ours else 1)
    told = found["grpc port"]["detail"]
    assert ("served by this service" if is_ours else "choose another --grpc-port") in told


def test_too_few_open_files(options: list[str | Path]) -> None:
    assert findings(*options)[1]["open files"]["verdict"] == "ok"
    code, found = findings(*options, "--max-connections", str(10**12))
    assert code == 0
    assert found["open files"]["verdict"] == "warning"
    assert "SENET_MAX_CONNECTIONS" in found["open files"]["detail"]


def test_a_wrong_option_is_one_line() -> None:
    ended = run_to_its_end("doctor", "--port", "eighty")
    assert ended.returncode == 2
    assert len(ended.stderr.splitlines()) == 1
    assert ended.stderr.startswith("error: port: ")
