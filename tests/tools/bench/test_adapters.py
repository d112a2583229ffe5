"""Loads over both transports, and the requests that are sent."""

from pathlib import Path

from app.settings import Settings
from app.transport.grpc.request import read_request
from tests.support.colours import COLOURS
from tests.support.engines import FakeEngines
from tests.support.grpc_client import encoded_request
from tests.support.images import encode, photo
from tests.support.server import running
from tools.bench.adapters import message, over_grpc, over_http, raw, rest

PICTURE = encode(photo(COLOURS[9]))


def test_requests_are_what_they_are_called() -> None:
    asked = read_request(message(PICTURE), max_images=1)
    assert [tensor.name for tensor in asked.inputs] == ["image"]
    assert [(output.name, output.classes) for output in asked.outputs] == [("scores", 5)]
    assert raw("/classify", PICTURE).endswith(PICTURE)
    head, _, body = rest(PICTURE).partition(b"\r\n\r\n")
    assert f"content-length: {len(body)}".encode() in head
    assert body.endswith(PICTURE)


async def test_answers_are_counted(repository: Path) -> None:
    settings = Settings(
        model_repository=repository, model="colours", inference_threads=1, grpc_port=0
    )
    with running(settings, FakeEngines()) as live:
        assert await over_http(live.port, [raw("/classify", PICTURE)], 0.1) > 0
        request = encoded_request([PICTURE]).SerializeToString()
        assert await over_grpc(live.grpc_port, [request], 0.1) > 0
