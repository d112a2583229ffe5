"""gRPC shares with HTTP admission, keys, deadlines, metrics and TLS."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest

from app.cli.keys import add_key
from app.settings import Settings
from app.transport.grpc.protocol import open_inference_pb2 as protocol
from tests.support.certificates import Pair
from tests.support.colours import COLOURS
from tests.support.engines import FakeEngine, FakeEngines
from tests.support.grpc_client import SERVICE, GrpcClient, encoded_request, refusal
from tests.support.images import encode, photo
from tests.support.metrics import value
from tests.support.server import running
from tests.support.waiting import eventually

PICTURE = encode(photo(COLOURS[30]))
REQUEST = encoded_request([PICTURE])
ROUTE = f"/{SERVICE}/ModelInfer"
Make = Callable[..., Settings]


@contextmanager
def serving(
    settings: Settings, engine: FakeEngine | None = None
) -> Iterator[tuple[GrpcClient, httpx.Client]]:
    with (
        running(settings, FakeEngines(engine)) as live,
        GrpcClient(live.grpc_port) as client,
        live.client() as http,
    ):
        yield client, http


def test_calls_are_counted_by_method_and_the_status_of_http(
    client: GrpcClient, http: httpx.Client
) -> None:
    labels = {"route": ROUTE, "model": "colours", "priority": "interactive"}
    before = value(http, "senet_requests_total", status="200", **labels)
    client.infer(REQUEST)
    assert value(http, "senet_requests_total", status="200", **labels) == before + 1
    refusal(lambda: client.infer(encoded_request([b"junk"])))
    assert value(http, "senet_requests_total", status="415", **labels) == 1
    refusal(lambda: client.infer(b"junk"))
    assert value(http, "senet_requests_total", route=ROUTE, status="400") == 1


def test_a_full_service_refuses_with_when_to_come_back(make_settings: Make) -> None:
    engine = FakeEngine()
    settings = make_settings(
        grpc_port=0, max_queue_size=1, max_batch_size=1, max_images_per_request=1
    )
    with serving(settings, engine) as (client, _), ThreadPoolExecutor(1) as threads:
        engine.gate.close()
        first = threads.submit(client.infer, REQUEST)
        engine.gate.wait_until_held()
        with pytest.raises(grpc.RpcError) as caught:
            client.infer(REQUEST)
        engine.gate.open()
        assert first.result().model_name == "colours"
    error: Any = caught.value
    fields = dict(error.trailing_metadata())
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert fields["x-error-code"] == "overloaded"
    assert int(fields["retry-after"]) >= 1
    assert int(fields["grpc-retry-pushback-ms"]) >= 1000


def test_the_clients_deadline_ends_the_call_and_its_image(make_settings: Make) -> None:
    engine = FakeEngine()
    with serving(make_settings(grpc_port=0), engine) as (client, http):
        engine.gate.close()
        status, _, _ = refusal(lambda: client.infer(REQUEST, timeout=0.2))
        assert status is grpc.StatusCode.DEADLINE_EXCEEDED
        eventually(lambda: value(http, "senet_images_in_flight") == 0)
        labels = {"route": ROUTE, "model": "colours", "status": "504"}
        eventually(lambda: value(http, "senet_requests_total", **labels) == 1)
        engine.gate.open()


def test_a_deadline_in_the_request(make_settings: Make) -> None:
    engine = FakeEngine()
    timeout = {"timeout": protocol.InferParameter(int64_param=50_000)}
    with serving(make_settings(grpc_port=0), engine) as (client, _):
        engine.gate.close()
        request = encoded_request([PICTURE], parameters=timeout)
        status, code, _ = refusal(lambda: client.infer(request))
        engine.gate.open()
    assert (status, code) == (grpc.StatusCode.DEADLINE_EXCEEDED, "deadline_exceeded")


def test_the_services_deadline(make_settings: Make) -> None:
    engine = FakeEngine()
    with serving(make_settings(grpc_port=0, request_timeout_ms=50), engine) as (client, _):
        engine.gate.close()
        status, code, _ = refusal(lambda: client.infer(REQUEST))
        engine.gate.open()
    assert (status, code) == (grpc.StatusCode.DEADLINE_EXCEEDED, "deadline_exceeded")


def test_a_cancelled_call_gives_its_places_back(make_settings: Make) -> None:
    engine = FakeEngine()
    with serving(make_settings(grpc_port=0), engine) as (client, http):
        engine.gate.close()
        future = client.method("ModelInfer").future(REQUEST)
        engine.gate.wait_until_held()
        assert value(http, "senet_images_in_flight") == 1
        future.cancel()
        eventually(lambda: value(http, "senet_images_in_flight") == 0)
        eventually(lambda: value(http, "senet_images_total", outcome="client_left") == 1)
        labels = {"route": ROUTE, "model": "colours", "status": "499"}
        eventually(lambda: value(http, "senet_requests_total", **labels) == 1)
        engine.gate.open()
        assert client.infer(REQUEST).model_name == "colours"


def test_a_failing_engine(make_settings: Make) -> None:
    engine = FakeEngine()
    with serving(make_settings(grpc_port=0), engine) as (client, _):
        engine.respond = lambda images, outputs: {}
        status, code, _ = refusal(lambda: client.infer(REQUEST))
    assert (status, code) == (grpc.StatusCode.INTERNAL, "inference_failed")


def test_keys(make_settings: Make, tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    key = add_key(file, "caller", ["classify"])
    other = add_key(file, "operator", ["admin"])
    settings = make_settings(grpc_port=0, api_keys_file=file, open_operations=False)
    with serving(settings) as (client, _):
        for metadata, status, code in (
            ([], "UNAUTHENTICATED", "unauthenticated"),
            ([("x-api-key", "nobody's")], "UNAUTHENTICATED", "unauthenticated"),
            ([("authorization", f"Bearer {other}")], "PERMISSION_DENIED", "forbidden"),
        ):
            found, own, _ = refusal(partial(client.infer, REQUEST, metadata=metadata))
            assert (found.name, own) == (status, code)
        for field in (("authorization", f"Bearer {key}"), ("x-api-key", key)):
            assert client.infer(REQUEST, metadata=[field]).model_name == "colours"
            assert client.call("RepositoryIndex", metadata=[field]).models
        for name in ("ServerMetadata", "ModelMetadata", "ModelConfig", "ModelReady"):
            found, own, _ = refusal(partial(client.call, name))
            assert (found.name, own) == ("UNAUTHENTICATED", "unauthenticated")
        assert client.call("ServerReady").ready
        found, _, _ = refusal(lambda: next(client.reflect(b"")))
        assert found is grpc.StatusCode.UNIMPLEMENTED


def test_a_message_that_does_not_come(make_settings: Make) -> None:
    with serving(make_settings(grpc_port=0, body_timeout_ms=100)) as (client, http):

        def nothing() -> Iterator[bytes]:
            eventually(lambda: value(http, "senet_requests_total", route=ROUTE, status="408") == 1)
            yield b""

        status, code, _ = refusal(lambda: client.stream(ROUTE, nothing()))
    assert (status, code) == (grpc.StatusCode.DEADLINE_EXCEEDED, "body_timeout")


def test_over_tls_with_a_certificate_that_is_renewed(
    make_settings: Make, tmp_path: Path, tool: Callable[[str], str]
) -> None:
    pair = Pair(tmp_path, tool("openssl"))
    pair.put("first")
    with running(make_settings(grpc_port=0, **pair.options), FakeEngines()) as live:
        assert infer_over_tls(live.grpc_port, pair, "first") == "colours"
        pair.put("second")
        assert live.certificate is not None
        live.certificate.reload()
        assert infer_over_tls(live.grpc_port, pair, "second") == "colours"


def infer_over_tls(port: int, pair: Pair, name: str) -> str:
    trusted = grpc.ssl_channel_credentials(pair.certificate.read_bytes())
    with GrpcClient(port, trusted, name) as client:
        return client.infer(REQUEST).model_name
