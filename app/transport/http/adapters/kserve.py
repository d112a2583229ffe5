"""KServe's first protocol and TensorFlow Serving's REST API: `/v1/models/{model}:predict`."""

import orjson
from fastapi import Request
from fastapi.responses import Response

from app.contract.errors import MalformedRequest
from app.inference.service import Service
from app.inference.visit import Visit
from app.transport.http.adapters.adapter import Adapter, InferRoute, PlainRoute
from app.transport.http.adapters.bodies import read_json
from app.transport.http.adapters.inference import Inference
from app.transport.http.adapters.instances import images_of, read_instances
from app.transport.http.adapters.ranked import predictions_response
from app.transport.http.arrivals import Arrival
from app.transport.http.request_body import RequestBody
from app.transport.open_inference.inputs import Images

_MODEL = "/v1/models/{model}"
_VERSION = "/v1/models/{model}/versions/{version}"
_LABEL = "/v1/models/{model}/labels/{version}"
_SIGNATURE = "serving_default"


def kserve_adapter(service: Service, inference: Inference) -> Adapter:
    """KServe's first protocol and TensorFlow Serving's.

    Args:
        service: whose models are told.
        inference: classifies.
    """

    async def predict(request: Request, arrival: Arrival) -> Response:
        async def read(body: RequestBody, visit: Visit) -> Images:
            document = read_instances(await read_json(arrival.headers, body, visit))
            signature = document.get("signature_name") or _SIGNATURE
            if signature != _SIGNATURE:
                raise MalformedRequest(
                    f"signature_name: {signature[:64]!r}; there is {_SIGNATURE} alone"
                )
            return await images_of(document, inference.max_images)

        return predictions_response(await inference(request, arrival, read, name="instance"))

    async def models(_: Request) -> Response:
        names = sorted(service.table.routes)
        return Response(orjson.dumps({"models": names}), media_type="application/json")

    async def status(request: Request) -> Response:
        asked = request.path_params
        table = service.table
        host = table.find(asked["model"], asked.get("version", "stable"))
        hosts = [host] if "version" in asked else table.routes[host.model.name].versions.values()
        statuses = [
            {
                "version": each.model.version,
                "state": "AVAILABLE",
                "status": {"error_code": "OK", "error_message": ""},
            }
            for each in hosts
        ]
        answer = {"name": host.model.name, "ready": True, "model_version_status": statuses}
        return Response(orjson.dumps(answer), media_type="application/json")

    return Adapter(
        infers=[InferRoute(f"{path}:predict", predict) for path in (_MODEL, _VERSION, _LABEL)],
        others=[
            PlainRoute("/v1/models", models),
            *[PlainRoute(path, status) for path in (_MODEL, _VERSION)],
        ],
    )
