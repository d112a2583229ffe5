"""A version is fetched from every kind of store by the program that the manifests name.

KServe's storage initializer is an image; what it runs is the package `kserve-storage` of the same
version, which is run here with the arguments of the manifests, against stand-ins of the stores.
"""

import os
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
import yaml

from . import stores

ROOT = Path(__file__).parents[2]
VERSION = ROOT / "models" / "imagenette" / "1"
DEPLOYMENT = ROOT / "deploy" / "kubernetes" / "components" / "model-fetch" / "deployment.yaml"
FILES = stores.contents(VERSION)
# The container's entry point: source and target are its arguments.
PROGRAM = "import sys; from kserve_storage import Storage; Storage.download(*sys.argv[1:])"
# Storage accounts of Azure are told by their host's name.
AT_THE_STAND_IN = """
import os, socket
resolve = socket.getaddrinfo
def stand_in(host, port, *others, **more):
    if str(host).endswith(".windows.net"):
        host, port = "127.0.0.1", int(os.environ["STAND_IN_PORT"])
    return resolve(host, port, *others, **more)
socket.getaddrinfo = stand_in
"""
CREDENTIALS = MappingProxyType({"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"})


def init_container(name: str) -> dict[str, Any]:
    pod = yaml.safe_load(DEPLOYMENT.read_text())["spec"]["template"]["spec"]
    found: dict[str, Any] = next(one for one in pod["initContainers"] if one["name"] == name)
    return found


def test_the_package_is_of_the_images_version() -> None:
    assert str(init_container("fetch-model")["image"]).endswith(f":v{version('kserve-storage')}")


@contextmanager
def serving(store: stores.Store, tls: Path | None = None) -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), stores.handler(store))
    if tls is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tls / "certificate.pem", tls / "key.pem")
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def fetched(
    source: str, models: Path, *, target: str | None = None, prelude: str = "", **variables: str
) -> subprocess.CompletedProcess[str]:
    """Runs the container as the manifests say, with a folder of this machine for `/models`."""
    container = init_container("fetch-model")
    stated = {entry["name"]: entry["value"] for entry in container["env"]}
    stated |= {"MODEL_SOURCE": source} | ({"TARGET": target} if target else {})
    values: dict[str, str] = {}
    for name, value in stated.items():
        for known, text in values.items():
            value = value.replace(f"$({known})", text)
        values[name] = value
    arguments = [values[str(word)[2:-1]] for word in container["args"]]
    arguments[1] = arguments[1].replace("/models", str(models), 1)
    return subprocess.run(
        [sys.executable, "-c", prelude + PROGRAM, *arguments],
        env=os.environ | {"HOME": str(models.parent), "NO_PROXY": "*"} | variables,
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip


def assert_fetched(done: subprocess.CompletedProcess[str], models: Path) -> None:
    assert done.returncode == 0, done.stderr[-2000:]
    found = stores.contents(models / "imagenette" / "1")
    # A client may keep notes of its own beside them.
    assert {name: data for name, data in found.items() if not name.startswith(".")} == FILES
    verify = init_container("verify-model")
    stated = {entry["name"]: entry["value"] for entry in verify["env"]}
    command = [str(word).replace("/models/", f"{models}/") for word in verify["command"]]
    subprocess.run(command, env=os.environ | stated, check=True, capture_output=True)


def test_s3(tmp_path: Path) -> None:
    # Imported by name because they are absent from the other environments.
    server = import_module("moto.server").ThreadedMotoServer(
        ip_address="127.0.0.1", port=0, verbose=False
    )
    server.start()
    try:
        host, port = server.get_host_and_port()
        url = f"http://{host}:{port}"
        client = import_module("boto3").client(
            "s3", endpoint_url=url, region_name="us-east-1",
            aws_access_key_id="a", aws_secret_access_key="b",  # noqa: S106 - the stand-in takes any
        )  # fmt: skip
        client.create_bucket(Bucket="models")
        for name, data in FILES.items():
            client.put_object(Bucket="models", Key=f"imagenette/1/{name}", Body=data)
        done = fetched(
            "s3://models/imagenette/1", tmp_path / "m", AWS_ENDPOINT_URL=url, **CREDENTIALS
        )
    finally:
        server.stop()
    assert_fetched(done, tmp_path / "m")


def test_google_cloud_storage(tmp_path: Path) -> None:
    with serving(stores.google(FILES, "imagenette/1")) as port:
        host = f"http://127.0.0.1:{port}"
        done = fetched(
            "gs://models/imagenette/1", tmp_path / "m",
            STORAGE_EMULATOR_HOST=host, GOOGLE_CLOUD_PROJECT="p", NO_GCE_CHECK="true",
        )  # fmt: skip
    assert_fetched(done, tmp_path / "m")


def test_azure_blob_storage(tmp_path: Path) -> None:
    subprocess.run(
        ["/usr/bin/openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
         "-keyout", tmp_path / "key.pem", "-out", tmp_path / "certificate.pem",
         "-subj", "/CN=stand-in", "-addext", "subjectAltName=DNS:shop.blob.core.windows.net"],
        check=True, capture_output=True,
    )  # fmt: skip
    with serving(stores.azure(FILES, "imagenette/1"), tls=tmp_path) as port:
        done = fetched(
            "https://shop.blob.core.windows.net/models/imagenette/1", tmp_path / "m",
            prelude=AT_THE_STAND_IN, STAND_IN_PORT=str(port),
            SSL_CERT_FILE=str(tmp_path / "certificate.pem"),
        )  # fmt: skip
    assert_fetched(done, tmp_path / "m")


def test_the_hugging_face_hub(tmp_path: Path) -> None:
    with serving(stores.hugging_face(FILES, "shop/imagenette")) as port:
        done = fetched(
            "hf://shop/imagenette:v1", tmp_path / "m",
            HF_ENDPOINT=f"http://127.0.0.1:{port}", HF_HUB_DISABLE_XET="1",
        )  # fmt: skip
    assert_fetched(done, tmp_path / "m")


def test_an_image_of_models(tmp_path: Path) -> None:
    with serving(stores.registry(FILES, "models/imagenette/1")) as port:
        done = fetched(
            f"oci://127.0.0.1:{port}/shop/models:1", tmp_path / "m",
            target="/models", KSERVE_OCI_INSECURE_REGISTRY="true",
        )  # fmt: skip
    assert_fetched(done, tmp_path / "m")


def test_an_archive_of_a_web_server(tmp_path: Path) -> None:
    with serving(stores.web(FILES, "imagenette-1.tar.gz")) as port:
        done = fetched(f"http://127.0.0.1:{port}/imagenette-1.tar.gz", tmp_path / "m")
    assert_fetched(done, tmp_path / "m")


@pytest.mark.parametrize(
    ("store", "source", "variable"),
    [
        (lambda: stores.google({}, "x"), "gs://models/imagenette/1", "STORAGE_EMULATOR_HOST"),
        (lambda: stores.hugging_face({}, "other/x"), "hf://shop/imagenette:v1", "HF_ENDPOINT"),
        (lambda: stores.web({}, "other.tar.gz"), "http://127.0.0.1:PORT/x.tar.gz", "UNUSED"),
    ],
)
def test_what_is_not_there_ends_the_pods_start(
    store: Callable[[], stores.Store], source: str, variable: str, tmp_path: Path
) -> None:
    with serving(store()) as port:
        url = f"http://127.0.0.1:{port}"
        done = fetched(
            source.replace("PORT", str(port)), tmp_path / "m",
            **{variable: url, "GOOGLE_CLOUD_PROJECT": "p", "NO_GCE_CHECK": "true"},
        )  # fmt: skip
    assert done.returncode != 0
