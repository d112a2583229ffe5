"""The routes below `/v2`."""

from collections.abc import Awaitable, Callable, Sequence

import orjson
from fastapi import Request
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from app.contract.errors import NotReady
from app.inference.service import Service, State
from app.inference.visit import Visit
from app.selection.served_model import ServedModel
from app.settings import MEMORY_PER_BODY_BYTE
from app.transport.http.adapters.adapter import Adapter, InferRoute, PlainRoute
from app.transport.http.adapters.inference import Inference
from app.transport.http.adapters.parts import Parts
from app.transport.http.adapters.v2.answer import answer
from app.transport.http.adapters.v2.repository import RepositoryRoutes
from app.transport.http.adapters.v2.request import InferRequest, read_request
from app.transport.http.arrivals import Arrival
from app.transport.http.forms import media_type
from app.transport.http.request_body import RequestBody
from app.transport.open_inference.inputs import Images, read_images
from app.transport.open_inference.metadata import model_config, model_metadata, server_metadata
from app.transport.open_inference.outputs import RAW_BYTES_PER_NUMBER, AskedOutputs
from app.transport.open_inference.repository import find_model

_MODEL = "/v2/models/{model}"
_VERSION = "/v2/models/{model}/versions/{version}"
_JSON_BYTES_PER_NUMBER = 20


def v2_adapter(parts: Parts) -> Adapter:
    """The Open Inference Protocol.

    Args:
        parts: what adapters are made of.
    """
    endpoint = _InferEndpoint(parts.inference)
    routes = _Metadata(parts.service)
    repository = RepositoryRoutes(parts.repository, parts.admins, parts.inference.body_pace)
    return Adapter(
        infers=[InferRoute(f"{path}/infer", endpoint) for path in (_MODEL, _VERSION)],
        others=[
            PlainRoute("/v2", routes.server),
            PlainRoute("/v2/health/live", routes.live, is_open=True),
            PlainRoute("/v2/health/ready", routes.ready, is_open=True),
            *_both("/ready", routes.model_ready),
            *_both("", routes.model),
            *_both("/config", routes.config),
            *repository.routes(),
            PlainRoute("/v2/{rest:path}", _nothing, methods=("GET", "POST"), is_open=True),
        ],
    )


class _InferEndpoint:
    """Answers `infer`.

    Args:
        inference: classifies.
    """

    def __init__(self, inference: Inference) -> None:
        self._inference = inference

    async def __call__(self, request: Request, arrival: Arrival) -> Response:
        media_type(arrival.headers)  # refuses what is compressed
        asked: InferRequest
        outputs: AskedOutputs

        async def read(body: RequestBody, visit: Visit) -> Images:
            nonlocal asked, outputs
            data = await body.read()
            visit.hold(MEMORY_PER_BODY_BYTE * len(data))  # there may be base64 in it
            asked = await read_request(arrival.headers, data)
            model = visit.host.model
            images = read_images(model.signature, asked.inputs, self._inference.max_images)
            outputs = AskedOutputs(model, asked.outputs)
            outputs.check_weight(
                len(images),
                RAW_BYTES_PER_NUMBER if _all_binary(asked) else _JSON_BYTES_PER_NUMBER,
                self._inference.max_answer_bytes,
            )
            visit.options = outputs.options
            if asked.timeout_us:
                visit.deadline = min(visit.deadline, arrival.started + asked.timeout_us / 1e6)
            return images

        done = await self._inference(request, arrival, read)
        tensors = outputs.tensors(done.results)
        are_binary = asked.are_binary or [asked.is_binary] * len(tensors)
        return answer(done.model, asked.id, tensors, are_binary, done.headers)


class _Metadata:
    """Answers what is not an inference.

    Args:
        service: whose state and models are told.
    """

    def __init__(self, service: Service) -> None:
        self._service = service

    async def server(self, _: Request) -> Response:
        return _json(server_metadata())

    async def live(self, _: Request) -> Response:
        if self._service.state is State.FAILED:
            raise NotReady("the service has failed and is about to be replaced")
        return _json({"live": True})

    async def ready(self, _: Request) -> Response:
        self._service.check_serving()
        return _json({"ready": True})

    async def model_ready(self, request: Request) -> Response:
        return _json({"name": self._find(request).name, "ready": True})

    async def model(self, request: Request) -> Response:
        model = self._find(request)
        versions = self._service.table.routes[model.name].versions
        return _json(model_metadata(model, list(versions)))

    async def config(self, request: Request) -> Response:
        return _json(model_config(self._find(request)))

    def _find(self, request: Request) -> ServedModel:
        asked = request.path_params
        return find_model(self._service, asked["model"], asked.get("version"))


async def _nothing(request: Request) -> Response:
    raise HTTPException(404, f"{request.url.path[:64]} is not served; see docs/adapters.md")


def _both(end: str, answer: Callable[[Request], Awaitable[Response]]) -> Sequence[PlainRoute]:
    """A route of a model and of one of its versions."""
    return [PlainRoute(path + end, answer) for path in (_MODEL, _VERSION)]


def _all_binary(asked: InferRequest) -> bool:
    return all(asked.are_binary) if asked.are_binary else asked.is_binary


def _json(document: object) -> Response:
    return Response(orjson.dumps(document), media_type="application/json")
