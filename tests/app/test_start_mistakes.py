"""Each mistake of an operator ends the start in one line that names option, cause and remedy."""

import logging
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.__main__ import main
from tests.support.repository import ManifestDict, write_model

Refuse = Callable[..., str]


@pytest.fixture
def refuse(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Refuse]:
    """Starts the service with these arguments; gives the one line that it ends with."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers[:] = []  # the service closes what it finds there

    def refuse(*arguments: str | Path) -> str:
        monkeypatch.setattr(sys, "argv", ["app", "--port", "0", *map(str, arguments)])
        assert main() == 2
        output, errors = capsys.readouterr()
        assert "Traceback" not in output
        [line] = errors.splitlines()
        return line

    yield refuse
    root.handlers[:] = handlers
    root.setLevel(level)


def assert_names(line: str, option: str, *parts: str) -> None:
    assert line.startswith(f"error: {option}: ")
    for part in parts:
        assert part in line, line


def test_a_missing_repository(refuse: Refuse, tmp_path: Path) -> None:
    line = refuse("--model-repository", tmp_path / "missing")
    assert_names(line, "model_repository", "missing", "SENET_MODEL_REPOSITORY")


def test_an_unknown_model(refuse: Refuse, repository: Path) -> None:
    line = refuse("--model-repository", repository, "--model", "cats")
    assert_names(line, "model", "cats", "colours", "SENET_MODEL")


def test_a_wrong_digest(refuse: Refuse, tmp_path: Path) -> None:
    def change(manifest: ManifestDict) -> None:
        manifest["variants"][0]["sha256"] = "0" * 64

    write_model(tmp_path, change=change)
    line = refuse("--model-repository", tmp_path, "--model", "colours")
    assert_names(line, "model_repository", "SHA-256", "0" * 64, "export")


def test_an_unknown_key_in_the_manifest(refuse: Refuse, tmp_path: Path) -> None:
    write_model(tmp_path, change=lambda manifest: manifest.update(colour=1))
    line = refuse("--model-repository", tmp_path, "--model", "colours")
    assert_names(line, "model_repository", "manifest.json, colour", "correct the manifest")


def test_a_port_in_use(refuse: Refuse, repository: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        line = refuse("--port", port, "--model-repository", repository)
    assert_names(line, "port", port, "in use", "SENET_PORT")


def test_a_grpc_port_in_use(refuse: Refuse, repository: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        line = refuse("--model-repository", repository, "--grpc-port", str(port))
    assert_names(line, "grpc_port", str(port), "SENET_GRPC_PORT")


def test_grpc_without_its_library(
    refuse: Refuse, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "app.transport.grpc.server", None)
    line = refuse("--model-repository", repository, "--model", "colours", "--grpc-port", "0")
    assert_names(line, "grpc_port", "extra grpc", "SENET_GRPC_PORT")


def test_a_port_that_another_service_has_bound_but_does_not_listen_on_yet(
    refuse: Refuse, repository: Path
) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        port = str(other.getsockname()[1])
        assert_names(refuse("--port", port, "--model-repository", repository), "port", port)


def test_a_host_that_is_not_ours(refuse: Refuse) -> None:
    # TEST-NET-1 (RFC 5737): nobody has this address.
    assert_names(refuse("--host", "192.0.2.1"), "host", "192.0.2.1", "SENET_HOST")


def test_an_option_out_of_range(refuse: Refuse) -> None:
    line = refuse("--max-queue-size", "0")
    assert_names(line, "max_queue_size", "'0'", "--max-queue-size", "SENET_MAX_QUEUE_SIZE")


def test_an_unknown_flag(refuse: Refuse) -> None:
    assert_names(refuse("--speed", "9"), "command line", "--speed", "--help")


def test_cuda_where_there_is_none(refuse: Refuse, repository: Path) -> None:
    line = refuse("--model-repository", repository, "--model", "colours", "--provider", "cuda")
    assert_names(line, "provider", "CUDAExecutionProvider", "gpu extra", "SENET_PROVIDER")


def test_a_tls_pair_that_is_none(refuse: Refuse, tmp_path: Path) -> None:
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    certificate.write_text("no certificate")
    key.write_text("no key")
    line = refuse("--tls-certificate-file", certificate, "--tls-key-file", key)
    assert_names(line, "tls_certificate_file", "PEM")


def test_half_a_tls_pair(refuse: Refuse, tmp_path: Path) -> None:
    key = tmp_path / "key.pem"
    key.write_text("no key")
    line = refuse("--tls-key-file", key)
    assert_names(line, "tls_certificate_file", "only one half", "set tls_certificate_file")


def test_a_keys_file_that_is_not_valid(refuse: Refuse, tmp_path: Path) -> None:
    keys = tmp_path / "keys.json"
    keys.write_text('{"keys": 1}')
    assert_names(refuse("--api-keys-file", keys), "api_keys_file", "keys.json", "correct")


def test_a_model_of_another_kind(refuse: Refuse, tmp_path: Path) -> None:
    folder = write_model(tmp_path)
    (folder / "golden.logits.npy").write_bytes(b"")
    line = refuse("--model-repository", tmp_path, "--model", "colours")
    assert_names(line, "model_repository", "golden.logits.npy", "export")
