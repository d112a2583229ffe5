"""Adapters share with `/classify` admission, keys, metrics, deadlines; and can be switched off."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from app.cli.keys import add_key
from app.settings import ADAPTERS, Settings
from app.telemetry.otlp import start_tracing
from tests.support.colours import COLOURS
from tests.support.engines import FakeEngine, FakeEngines
from tests.support.foreign import INFER, as_text, post_encoded
from tests.support.http import RawConnection
from tests.support.images import encode, photo
from tests.support.metrics import value
from tests.support.server import LiveServer, running
from tests.support.waiting import eventually

PICTURE = encode(photo(COLOURS[30]))
Send = Callable[[httpx.Client], httpx.Response]


def infer(client: httpx.Client) -> httpx.Response:
    return post_encoded(client, [PICTURE])


def hugging_face(client: httpx.Client) -> httpx.Response:
    return client.post("/", content=PICTURE)


def sagemaker(client: httpx.Client) -> httpx.Response:
    return client.post("/invocations", content=PICTURE)


def vertex(client: httpx.Client) -> httpx.Response:
    return client.post("/predict", json={"instances": [as_text(PICTURE)]})


def kserve(client: httpx.Client) -> httpx.Response:
    return client.post("/v1/models/colours:predict", json={"instances": [as_text(PICTURE)]})


WAYS = {
    "v2": (infer, "/v2/models/{model}/infer"),
    "huggingface": (hugging_face, "/"),
    "sagemaker": (sagemaker, "/invocations"),
    "vertex": (vertex, "/predict"),
    "kserve": (kserve, "/v1/models/{model}:predict"),
}
SENDS = [pytest.param(send, id=name) for name, (send, _) in WAYS.items()]


def in_flight(client: httpx.Client) -> float:
    return value(client, "senet_images_in_flight")


@pytest.mark.parametrize(("send", "route"), WAYS.values(), ids=WAYS)
def test_requests_are_counted_by_route_and_model(
    client: httpx.Client, send: Send, route: str
) -> None:
    labels = {"route": route, "status": "200", "model": "colours", "priority": "interactive"}
    before = value(client, "senet_requests_total", **labels)
    images = value(client, "senet_images_total", outcome="ok")
    assert send(client).status_code == 200
    assert value(client, "senet_requests_total", **labels) == before + 1
    assert value(client, "senet_images_total", outcome="ok") == images + 1


@pytest.mark.parametrize("send", SENDS)
def test_a_full_service_refuses_with_when_to_come_back(
    make_settings: Callable[..., Settings], send: Send
) -> None:
    engine = FakeEngine()
    settings = make_settings(max_queue_size=1, max_batch_size=1, max_images_per_request=1)
    with (
        running(settings, FakeEngines(engine)) as live,
        live.client() as client,
        ThreadPoolExecutor(1) as threads,
    ):
        engine.gate.close()
        first = threads.submit(send_alone, live, send)
        engine.gate.wait_until_held()
        refused = send(client)
        engine.gate.open()
        assert first.result().status_code == 200
    assert (refused.status_code, refused.json()["code"]) == (429, "overloaded")
    assert int(refused.headers["retry-after"]) >= 1


def send_alone(live: LiveServer, send: Send) -> httpx.Response:
    with live.client() as client:
        return send(client)


@pytest.mark.parametrize("send", SENDS)
def test_the_clients_own_deadline(client: httpx.Client, send: Send) -> None:
    client.headers["x-request-timeout-ms"] = "0"
    assert send(client).json()["code"] == "invalid_parameter"


@pytest.mark.parametrize("send", SENDS)
def test_the_services_deadline(make_settings: Callable[..., Settings], send: Send) -> None:
    engine = FakeEngine()
    with (
        running(make_settings(request_timeout_ms=50), FakeEngines(engine)) as live,
        live.client() as client,
    ):
        engine.gate.close()
        response = send(client)
        engine.gate.open()
    assert (response.status_code, response.json()["code"]) == (504, "deadline_exceeded")


@pytest.mark.parametrize("path", ["/", INFER])
def test_a_client_that_leaves_gives_its_places_back(
    make_settings: Callable[..., Settings], path: str
) -> None:
    engine = FakeEngine()
    with running(make_settings(), FakeEngines(engine)) as live, live.client() as client:
        engine.gate.close()
        with RawConnection(live.port) as leaving:
            leaving.send_head(
                "inference-header-content-length: 0", f"content-length: {len(PICTURE)}", path=path
            )
            leaving.send(PICTURE)
            engine.gate.wait_until_held()
            assert in_flight(client) == 1
        eventually(lambda: in_flight(client) == 0)
        engine.gate.open()
        eventually(lambda: value(client, "senet_images_total", outcome="client_left") == 1)


@pytest.mark.parametrize("send", SENDS)
def test_a_failing_engine(make_settings: Callable[..., Settings], send: Send) -> None:
    engine = FakeEngine()
    with running(make_settings(), FakeEngines(engine)) as live, live.client() as client:
        engine.respond = lambda images, outputs: {}
        response = send(client)
    assert (response.status_code, response.json()["code"]) == (500, "inference_failed")


@pytest.mark.parametrize("path", ["/", INFER])
def test_a_body_over_the_limit_is_refused_before_it_is_sent(
    client: httpx.Client, server: LiveServer, path: str
) -> None:
    with RawConnection(server.port) as connection:
        connection.send_head("content-length: 99999999", path=path)
        answer = connection.read_answer()
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["code"] == "body_too_large"
    eventually(lambda: in_flight(client) == 0)


@pytest.mark.parametrize("send", SENDS)
def test_keys(make_settings: Callable[..., Settings], tmp_path: Path, send: Send) -> None:
    file = tmp_path / "keys.json"
    key = add_key(file, "caller", ["classify"])
    other = add_key(file, "operator", ["admin"])
    settings = make_settings(api_keys_file=file, open_operations=False)
    with running(settings, FakeEngines()) as live, live.client() as client:
        refused = send(client)
        assert (refused.status_code, refused.json()["code"]) == (401, "unauthenticated")
        assert refused.headers["www-authenticate"] == "Bearer"
        client.headers["authorization"] = f"Bearer {other}"
        assert send(client).json()["code"] == "forbidden"
        client.headers["authorization"] = f"Bearer {key}"
        assert send(client).status_code == 200


def test_what_is_loaded_is_told_to_whom_operations_are_open(
    make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    key = add_key(tmp_path / "keys.json", "caller", ["classify"])
    settings = make_settings(api_keys_file=tmp_path / "keys.json", open_operations=False)
    with running(settings, FakeEngines()) as live, live.client() as client:
        for path, status in (
            ("/v2", 200),
            ("/v2/models/colours", 200),
            ("/v2/models/colours/config", 200),
            ("/v2/models/colours/ready", 200),
            ("/v2/models/none/ready", 404),
            ("/v1/models", 200),
            ("/v1/models/colours", 200),
            ("/v1/models/none", 404),
        ):
            refused = client.get(path)
            assert (refused.status_code, refused.json()["code"]) == (401, "unauthenticated")
            assert client.get(path, headers={"x-api-key": key}).status_code == status
        for path in ("/v2/health/live", "/v2/health/ready"):
            assert client.get(path).status_code == 200


@pytest.mark.parametrize("name", WAYS)
def test_each_can_be_switched_off(make_settings: Callable[..., Settings], name: str) -> None:
    others = ",".join(other for other in ADAPTERS if other != name)
    with running(make_settings(adapters=others), FakeEngines()) as live, live.client() as client:
        assert WAYS[name][0](client).status_code in (404, 405)
        for other, (send, _) in WAYS.items():
            assert other == name or send(client).status_code == 200


def test_all_can_be_switched_off(make_settings: Callable[..., Settings]) -> None:
    with running(make_settings(adapters="none"), FakeEngines()) as live, live.client() as client:
        assert {send(client).status_code for send, _ in WAYS.values()} <= {404, 405}
        assert client.get("/v2/health/live").status_code == 404


@pytest.mark.parametrize("send", SENDS)
def test_behind_a_path_prefix_that_a_proxy_strips(
    make_settings: Callable[..., Settings], send: Send
) -> None:
    settings = make_settings(root_path="/senet")
    with running(settings, FakeEngines()) as live, live.client() as client:
        assert send(client).status_code == 200


@pytest.mark.parametrize(("send", "route"), WAYS.values(), ids=WAYS)
def test_with_tracing_they_go_through_the_frameworks_layers(
    make_settings: Callable[..., Settings], send: Send, route: str
) -> None:
    tracing = start_tracing(SimpleSpanProcessor(InMemorySpanExporter()))
    with (
        running(make_settings(), FakeEngines(), tracing=tracing) as live,
        live.client() as client,
    ):
        assert send(client).status_code == 200
        refused = client.post(route.replace("{model}", "colours"), content=b"{")
        assert refused.json()["error"]
        labels = {"route": route, "model": "colours"}
        assert value(client, "senet_requests_total", status="200", **labels) == 1
        assert value(client, "senet_images_in_flight") == 0


def test_they_are_no_part_of_the_document_of_our_own_api(client: httpx.Client) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    assert not [path for path in paths if path == "/" or path.startswith("/v2")]


def test_base64_is_charged_with_the_memory_that_it_takes(
    make_settings: Callable[..., Settings],
) -> None:
    body = json.dumps({"inputs": as_text(PICTURE)}).encode()
    settings = make_settings(max_body_bytes=len(body), max_buffered_bytes=4 * len(body))
    with running(settings, FakeEngines()) as live, live.client() as client:
        response = client.post("/", content=body)
    assert (response.status_code, response.json()["code"]) == (429, "overloaded")
