"""A service whose model repository is in S3, spoken by a real server."""

import itertools
import signal
import socket
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from app.cli.keys import add_key
from tests.support.colours import COLOURS
from tests.support.http import assert_problem
from tests.support.images import encode, photo
from tests.support.operator import Operator
from tests.support.process import ServiceProcess
from tests.support.repository import write_model
from tests.support.waiting import eventually

from .conftest import Start, run
from .cutting_proxy import CuttingProxy, cutting_proxy

PICTURE = encode(photo(COLOURS[3]))
_BUCKETS = itertools.count(1)


class Bucket:
    """A bucket of the server.

    Attributes:
        uri: of the repository in it.
        proxy: through which the service and the commands see it.
        local: a repository on this machine.
    """

    def __init__(self, client: Any, proxy: CuttingProxy, local: Path) -> None:  # noqa: ANN401
        self._client = client
        self._name = f"bucket-{next(_BUCKETS)}"
        client.create_bucket(Bucket=self._name)
        self.uri = f"s3://{self._name}/some/models"
        self.proxy = proxy
        self.local = local

    def push(self, version: int, *options: str) -> None:
        """Makes a version of the colour classifier and pushes it."""
        if not (self.local / "colours" / str(version)).exists():
            write_model(self.local, version=version)
        code, text = run(
            "models", "push", self.uri, f"colours:{version}", "--repository", self.local, *options
        )
        assert code == 0, text

    def read(self, name: str) -> bytes:
        found = self._client.get_object(Bucket=self._name, Key=f"some/models/{name}")
        data: bytes = found["Body"].read()
        return data

    def write(self, name: str, data: bytes) -> None:
        self._client.put_object(Bucket=self._name, Key=f"some/models/{name}", Body=data)

    def names(self) -> list[str]:
        found = self._client.list_objects_v2(Bucket=self._name).get("Contents", [])
        return [str(item["Key"]).removeprefix("some/models/") for item in found]


@pytest.fixture
def bucket(
    moto: Any,  # noqa: ANN401
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Bucket]:
    """With the first version of a model."""
    host, port = moto.get_host_and_port()
    client = import_module("boto3").client(
        "s3", endpoint_url=f"http://{host}:{port}", region_name="us-east-1",
        aws_access_key_id="a", aws_secret_access_key="b",  # noqa: S106 - the server takes any
    )  # fmt: skip
    with cutting_proxy(port) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
        bucket = Bucket(client, proxy, tmp_path / "local")
        bucket.push(1)
        yield bucket


def options(bucket: Bucket, tmp_path: Path) -> list[str | Path]:
    return [
        "--model-repository", bucket.uri, "--model", "colours",
        "--cache-directory", tmp_path / "cache",
    ]  # fmt: skip


def operated(service: ServiceProcess, key: str) -> Operator:
    service.wait_until_ready()
    return Operator(service.client(), key)


def copies(tmp_path: Path) -> list[str]:
    """Of each copy in the cache the version, and of half ones their names."""
    return [path.name.partition("-")[0] for path in (tmp_path / "cache" / "models").glob("*/*")]


def test_a_push_writes_the_manifest_last_and_replaces_only_when_told(
    bucket: Bucket, tmp_path: Path
) -> None:
    assert bucket.names() == [
        "colours/1/golden.inputs.npy", "colours/1/golden.logits.npy",
        "colours/1/manifest.json", "colours/1/model.fp32.onnx",
    ]  # fmt: skip
    again = ("models", "push", bucket.uri, "colours", "--repository", bucket.local)
    code, text = run(*again)
    assert code == 2
    assert f"{bucket.uri}/colours/1 exists" in text
    assert run(*again, "--force")[0] == 0
    model = bucket.local / "colours" / "1" / "model.fp32.onnx"
    model.write_bytes(model.read_bytes()[:-1])
    code, text = run(*again, "--force")
    assert (code, "its manifest says" in text) == (2, True)
    assert run("models", "verify", bucket.uri)[0] == 0


def test_pull_and_verify(bucket: Bucket, tmp_path: Path) -> None:
    bucket.push(2)
    pull = ("models", "pull", bucket.uri, "colours", "--repository", tmp_path / "here")
    assert run(*pull) == (0, f"pulled {tmp_path / 'here/colours/2'}\n")
    assert run(*pull)[0] == 2
    assert run(*pull, "--force")[0] == 0
    assert run("models", "verify", tmp_path / "here") == (0, "ok     colours:2\n")
    assert run("models", "verify", bucket.uri) == (0, "ok     colours:1\nok     colours:2\n")
    bucket.write("colours/2/model.fp32.onnx", b"tampered with")
    code, text = run("models", "verify", bucket.uri)
    assert code == 1
    assert "FAULT  colours:2" in text
    assert "its manifest says" in text
    assert run("models", "verify", bucket.uri, "colours:1")[0] == 0
    code, text = run(*pull, "--force")
    assert (code, "its manifest says" in text) == (2, True)
    # What was there is still there.
    assert run("models", "verify", tmp_path / "here") == (0, "ok     colours:2\n")


def test_versions_come_into_service_from_a_bucket(
    bucket: Bucket, start: Start, tmp_path: Path
) -> None:
    key = add_key(tmp_path / "keys.json", "operator", ["admin", "classify"])
    operator = operated(
        start("service", *options(bucket, tmp_path), "--api-keys-file", tmp_path / "keys.json"), key
    )
    with operator.client:
        assert operator.answered_by(PICTURE) == "colours:1"
        assert_problem(operator.load("colours", 2), 422, "load_refused")
        bucket.push(2)
        operator.done(operator.load("colours", 2))
        assert operator.answered_by(PICTURE, version="2") == "colours:2"
        operator.done(operator.label("colours", "stable", "2"))
        operator.done(operator.unload("colours", 1))
        assert operator.answered_by(PICTURE) == "colours:2"

        # Tampered with: neither a new version nor one that was served before is served.
        bucket.push(3)
        model = bucket.read("colours/3/model.fp32.onnx")
        for version in (1, 3):
            bucket.write(f"colours/{version}/model.fp32.onnx", model[:-1] + b"\0")
            job = operator.finished(operator.load("colours", version))
            assert (job["state"], job["step"]) == ("failed", "copy")
            assert "its manifest says" in job["error"]
        bucket.write("colours/3/model.fp32.onnx", model)

        # Cut in the middle, however often it is asked for.
        bucket.proxy.cut = "/colours/3/model.fp32.onnx"
        job = operator.finished(operator.load("colours", 3))
        assert (job["state"], job["step"]) == ("failed", "copy")
        assert "cannot be read now" in job["error"]
        assert operator.answered_by(PICTURE) == "colours:2"
        assert sorted(copies(tmp_path)) == ["1", "2"]
        bucket.proxy.cut = None
        operator.done(operator.load("colours", 3))
        assert operator.answered_by(PICTURE, version="3") == "colours:3"


def test_replicas_share_a_cache_and_take_new_versions(
    bucket: Bucket, start: Start, tmp_path: Path
) -> None:
    polled = (*options(bucket, tmp_path), "--repository-poll-seconds", "0.2")
    both = [start(name, *polled) for name in ("first", "second")]
    operators = [operated(service, "") for service in both]
    assert [operator.answered_by(PICTURE) for operator in operators] == ["colours:1"] * 2
    bucket.push(2)
    for operator in operators:
        eventually(lambda: operator.versions("colours") == {"2": "ready"})  # noqa: B023
        assert operator.answered_by(PICTURE) == "colours:2"
    assert sorted(copies(tmp_path)) == ["1", "2"]
    for operator in operators:
        operator.client.close()


def test_what_keeps_a_service_from_starting(
    bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = ("--port", "0", "--cache-directory", tmp_path / "cache", "--model-repository")
    code, text = run(*start, bucket.uri, "--model", "cats")
    assert code == 2
    assert text.splitlines()[-1].startswith(f"error: model: cats is not in {bucket.uri}")
    code, text = run(*start, "s3://no-such-bucket/x")
    assert code == 2
    assert "is not in s3://no-such-bucket/x" in text
    bucket.write("colours/1/model.fp32.onnx", b"tampered with")
    code, text = run(*start, bucket.uri, "--model", "colours")
    assert code == 2
    assert "its manifest says" in text.splitlines()[-1]
    # An orchestrator is to start it again when the store does not answer.
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{unused_port()}")
    code, text = run(*start, bucket.uri, "--model", "colours")
    assert code == 1
    assert text.splitlines()[-1].startswith(f"error: model_repository: {bucket.uri}/")
    monkeypatch.setenv("AWS_ENDPOINT_URL", bucket.proxy.url)
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    code, text = run(*start, bucket.uri, "--model", "colours")
    assert code == 2
    assert "credentials" in text.splitlines()[-1]


def test_the_doctor_looks_into_a_bucket(bucket: Bucket, tmp_path: Path) -> None:
    code, text = run("doctor", "--port", "0", *options(bucket, tmp_path))
    assert code == 0, text
    assert "colours:1 fp32 verified" in text
    bucket.write("colours/1/model.fp32.onnx", b"tampered with")
    code, text = run("doctor", "--port", "0", *options(bucket, tmp_path))
    assert code == 1
    assert "its manifest says" in text


def unused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def test_a_silent_store_does_not_hold_up_the_end(
    bucket: Bucket, start: Start, tmp_path: Path
) -> None:
    bucket.proxy.is_silent = True
    starting = start("starting", *options(bucket, tmp_path))
    eventually(lambda: bucket.proxy.silenced > 0)
    starting.send_signal(signal.SIGTERM)
    assert starting.wait() == 0
    bucket.proxy.is_silent = False
    polling = start("polling", *options(bucket, tmp_path), "--repository-poll-seconds", "0.05")
    with operated(polling, "").client:
        bucket.proxy.is_silent = True
        before = bucket.proxy.silenced
        eventually(lambda: bucket.proxy.silenced > before)
        polling.send_signal(signal.SIGTERM)
        assert polling.wait() == 0
