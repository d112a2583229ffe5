"""What is told over gRPC: health, metadata, the protocol itself."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import grpc
import httpx
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

from app.inference.service import State
from app.settings import Settings
from app.transport.grpc.protocol import open_inference_pb2 as protocol
from tests.support.colours import COLOURS
from tests.support.engines import FakeEngine, FakeEngines
from tests.support.grpc_client import SERVICE, GrpcClient, encoded_request, refusal
from tests.support.images import encode, photo
from tests.support.server import running
from tests.support.waiting import eventually

PICTURE = encode(photo(COLOURS[9]))
Serving = health_pb2.HealthCheckResponse


def check(client: GrpcClient, service: str = "") -> int:
    message = health_pb2.HealthCheckRequest(service=service).SerializeToString()
    answer = client.unary("/grpc.health.v1.Health/Check", message)
    return int(Serving.FromString(answer).status)


def test_health(client: GrpcClient) -> None:
    assert client.call("ServerLive").live
    assert client.call("ServerReady").ready
    assert check(client) == check(client, SERVICE) == Serving.SERVING
    status, _, _ = refusal(lambda: check(client, "nobody"))
    assert status is grpc.StatusCode.NOT_FOUND


def test_metadata_is_that_of_http(client: GrpcClient, http: httpx.Client) -> None:
    told = client.call("ModelMetadata", protocol.ModelMetadataRequest(name="colours"))
    expected = http.get("/v2/models/colours").json()
    tensors = [
        {"name": tensor.name, "datatype": tensor.datatype, "shape": list(tensor.shape)}
        for tensor in (*told.inputs, *told.outputs)
    ]
    assert tensors == expected["inputs"] + expected["outputs"]
    assert list(told.versions) == expected["versions"]
    assert client.call("ServerMetadata").name == http.get("/v2").json()["name"]
    config = client.call("ModelConfig", protocol.ModelConfigRequest(name="colours")).config
    expected = http.get("/v2/models/colours/config").json()
    assert (config.name, config.max_batch_size) == ("colours", expected["max_batch_size"])
    assert list(config.version_policy.specific.versions) == [1]
    assert [list(each.dims) for each in config.input] == [
        each["dims"] for each in expected["input"]
    ]
    assert config.input[0].data_type == protocol.TYPE_UINT8


def test_models_that_are_not_there(client: GrpcClient) -> None:
    for version in ("1", "2"):
        named = protocol.ModelReadyRequest(name="colours", version=version)
        assert client.call("ModelReady", named).ready == (version == "1")
    assert not client.call("ModelReady", protocol.ModelReadyRequest(name="nobody")).ready
    nobody = protocol.ModelMetadataRequest(name="nobody")
    status, code, _ = refusal(lambda: client.call("ModelMetadata", nobody))
    assert (status, code) == (grpc.StatusCode.NOT_FOUND, "model_not_found")


def test_reflection_tells_the_protocol(client: GrpcClient) -> None:
    questions = [
        reflection_pb2.ServerReflectionRequest(list_services=""),
        reflection_pb2.ServerReflectionRequest(file_containing_symbol=SERVICE),
    ]
    answers = [
        reflection_pb2.ServerReflectionResponse.FromString(answer)
        for answer in client.reflect(*(question.SerializeToString() for question in questions))
    ]
    assert SERVICE in [service.name for service in answers[0].list_services_response.service]
    assert answers[1].file_descriptor_response.file_descriptor_proto


def test_while_the_model_is_loading(make_settings: Callable[..., Settings]) -> None:
    engines = FakeEngines()
    engines.gate.close()
    with (
        running(make_settings(grpc_port=0), engines, ready=False) as live,
        GrpcClient(live.grpc_port) as client,
    ):
        engines.gate.wait_until_held()
        assert client.call("ServerLive").live
        assert not client.call("ServerReady").ready
        assert check(client) == Serving.NOT_SERVING
        named = protocol.ModelReadyRequest(name="colours")
        assert not client.call("ModelReady", named).ready
        told = protocol.ModelMetadataRequest(name="colours")
        for call in (
            lambda: client.call("ModelMetadata", told),
            lambda: client.infer(encoded_request([PICTURE])),
        ):
            status, code, _ = refusal(call)
            assert (status, code) == (grpc.StatusCode.UNAVAILABLE, "not_ready")
        engines.gate.open()
        live.wait_until_ready()
        assert client.call("ModelReady", named).ready


def test_a_drain_answers_what_is_accepted_and_tells_who_watches(
    make_settings: Callable[..., Settings],
) -> None:
    engine = FakeEngine()
    with (
        running(make_settings(grpc_port=0), FakeEngines(engine)) as live,
        GrpcClient(live.grpc_port) as client,
        ThreadPoolExecutor(1) as threads,
    ):
        watch = client.watch()
        assert Serving.FromString(next(watch)).status == Serving.SERVING
        engine.gate.close()
        accepted = threads.submit(client.infer, encoded_request([PICTURE]))
        engine.gate.wait_until_held()
        live.begin_drain()
        eventually(lambda: live.service.state is State.DRAINING)
        assert Serving.FromString(next(watch)).status == Serving.NOT_SERVING
        status, code, _ = refusal(lambda: client.infer(encoded_request([PICTURE])))
        assert (status, code) == (grpc.StatusCode.UNAVAILABLE, "draining")
        engine.gate.open()
        assert accepted.result().model_name == "colours"
        live.join()


def test_who_watches_a_service_that_is_not_there_is_told_so(client: GrpcClient) -> None:
    watch = client.watch("nobody")
    assert Serving.FromString(next(watch)).status == Serving.SERVICE_UNKNOWN
    watch.cancel()


def test_one_client_cannot_have_all_watches(client: GrpcClient) -> None:
    watches = [client.watch() for _ in range(32)]
    for watch in watches:
        next(watch)
    status, _, _ = refusal(lambda: next(client.watch()))
    assert status is grpc.StatusCode.RESOURCE_EXHAUSTED
    for watch in watches:
        watch.cancel()
