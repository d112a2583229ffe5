"""A service whose model repository is on a web server."""

import contextlib
import functools
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from app.cli.keys import add_key
from tests.support.colours import COLOURS
from tests.support.images import encode, photo
from tests.support.operator import Operator
from tests.support.repository import write_model
from tests.support.waiting import eventually

from .conftest import Start, run

PICTURE = encode(photo(COLOURS[3]))
Serve = Callable[..., contextlib.AbstractContextManager[str]]


class _Handler(SimpleHTTPRequestHandler):
    """Lists folders, as web servers do that are told to."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass


class _Unlisted(_Handler):
    def list_directory(self, path: object) -> None:
        self.send_error(HTTPStatus.FORBIDDEN)


class _Cut(_Handler):
    """Ends connections in the middle of a model's file."""

    def copyfile(self, source: object, outputfile: object) -> None:
        if not self.path.endswith(".onnx"):
            super().copyfile(source, outputfile)  # type: ignore[arg-type]
            return
        data = source.read()  # type: ignore[attr-defined]
        self.wfile.write(data[: len(data) // 2])
        self.close_connection = True


class _Private(_Handler):
    def do_GET(self) -> None:
        self.send_error(HTTPStatus.UNAUTHORIZED)

    do_HEAD = do_GET  # noqa: N815 - the base's name


class _Failing(_Handler):
    def do_GET(self) -> None:
        self.send_error(HTTPStatus.SERVICE_UNAVAILABLE)

    do_HEAD = do_GET  # noqa: N815 - likewise


@pytest.fixture
def serve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Serve:
    """Serves a folder over TLS; gives the URI."""
    subprocess.run(
        ["/usr/bin/openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
         "-keyout", tmp_path / "key.pem", "-out", tmp_path / "certificate.pem",
         "-subj", "/CN=web", "-addext", "subjectAltName=IP:127.0.0.1"],
        check=True, capture_output=True,
    )  # fmt: skip
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "certificate.pem"))

    @contextlib.contextmanager
    def serve(root: Path, handler: type[_Handler] = _Handler) -> Iterator[str]:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tmp_path / "certificate.pem", tmp_path / "key.pem")
        made = functools.partial(handler, directory=str(root))
        with ThreadingHTTPServer(("127.0.0.1", 0), made) as server:
            server.socket = context.wrap_socket(server.socket, server_side=True)
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            try:
                yield f"https://127.0.0.1:{server.server_port}/models"
            finally:
                server.shutdown()
                thread.join()

    return serve


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """What the server shows."""
    root = tmp_path / "www"
    write_model(root / "models")
    return root


def test_versions_come_into_service_from_a_web_server(
    serve: Serve, root: Path, start: Start, tmp_path: Path
) -> None:
    key = add_key(tmp_path / "keys.json", "operator", ["admin", "classify"])
    with serve(root) as uri:
        service = start(
            "service", "--model-repository", uri, "--model", "colours",
            "--api-keys-file", tmp_path / "keys.json", "--repository-poll-seconds", "0.1",
            "--cache-directory", tmp_path / "cache",
        )  # fmt: skip
        service.wait_until_ready()
        with service.client() as client:
            operator = Operator(client, key)
            assert operator.answered_by(PICTURE) == "colours:1"
            write_model(tmp_path / "new", version=2)
            model = tmp_path / "new" / "colours" / "2" / "model.fp32.onnx"
            whole = model.read_bytes()
            model.write_bytes(whole[:100])
            model.parent.rename(root / "models" / "colours" / "2")
            eventually(lambda: bool(operator.status("colours")["jobs"]))
            eventually(lambda: operator.status("colours")["jobs"][0]["state"] == "failed")
            assert operator.answered_by(PICTURE) == "colours:1"
            (root / "models" / "colours" / "2" / "model.fp32.onnx").write_bytes(whole)
            eventually(lambda: operator.versions("colours") == {"2": "ready"})
            assert operator.answered_by(PICTURE) == "colours:2"


def test_a_server_that_does_not_list(serve: Serve, root: Path, tmp_path: Path) -> None:
    with serve(root, _Unlisted) as uri:
        code, text = run("models", "pull", uri, "colours:1", "--repository", tmp_path / "here")
        assert code == 0, text
        assert run("models", "verify", uri, "colours:1") == (0, "ok     colours:1\n")
        code, text = run("models", "pull", uri, "colours", "--repository", tmp_path / "here")
        assert code == 2
        assert "name:version" in text
        code, text = run("models", "verify", uri, "colours:2")
        assert code == 1
        assert f"colours:2 is not in {uri}" in text


@pytest.mark.parametrize(
    ("handler", "code", "told"),
    [
        (_Cut, 1, "/models/colours/1/model.fp32.onnx cannot be read now"),
        (_Private, 2, "denies access"),
        (_Failing, 1, "cannot be read now"),
    ],
)
def test_a_server_that_does_not_give_what_it_has(
    serve: Serve, root: Path, tmp_path: Path, handler: type[_Handler], code: int, told: str
) -> None:
    with serve(root, handler) as uri:
        found, text = run("models", "pull", uri, "colours:1", "--repository", tmp_path / "here")
        assert (found, told in text) == (code, True), text
        found, text = run(
            "--port", "0", "--model-repository", uri, "--model", "colours:1",
            "--cache-directory", tmp_path / "cache",
        )  # fmt: skip
        assert (found, told in text.splitlines()[-1]) == (code, True), text
    assert not list((tmp_path / "here").glob("*/*"))
    assert not list((tmp_path / "cache").glob("*/*/*"))


def test_a_certificate_that_is_not_known(
    serve: Serve, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve(root) as uri:
        monkeypatch.delenv("SSL_CERT_FILE")
        code, text = run("models", "verify", uri, "colours:1")
        assert code == 1
        assert "certificate" in text


def test_web_servers_are_read_only(serve: Serve, root: Path) -> None:
    with serve(root) as uri:
        code, text = run("models", "push", uri, "colours", "--repository", root / "models")
        assert code == 2
        assert "read only" in text
