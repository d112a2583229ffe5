"""Vertex AI's contract of custom containers: a health and a predict route, which it names."""

from typing import Annotated, Any, NotRequired

from fastapi import Request
from fastapi.responses import Response
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, with_config
from typing_extensions import TypedDict

from app.contract.errors import InvalidParameter
from app.contract.strict import first_fault
from app.inference.classification import ClassifyOptions
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


@with_config(ConfigDict(strict=True, extra="forbid"))
class _Parameters(TypedDict):
    """Those of Vertex AI's own image classification."""

    confidenceThreshold: NotRequired[Annotated[float, Field(ge=0, le=1)] | None]
    maxPredictions: NotRequired[Annotated[int, Field(ge=1)] | None]


_PARAMETERS = TypeAdapter(_Parameters)


def vertex_adapter(
    service: Service, inference: Inference, *, health_route: str, predict_route: str
) -> Adapter:
    """Vertex AI.

    Args:
        service: whose health is told.
        inference: classifies.
        health_route: the path of `AIP_HEALTH_ROUTE`.
        predict_route: the path of `AIP_PREDICT_ROUTE`.
    """

    async def predict(request: Request, arrival: Arrival) -> Response:
        async def read(body: RequestBody, visit: Visit) -> Images:
            document = read_instances(await read_json(arrival.headers, body, visit))
            visit.options = _options(document.get("parameters") or {}, visit.options)
            return await images_of(document, inference.max_images)

        return predictions_response(await inference(request, arrival, read, name="instance"))

    async def health(_: Request) -> Response:
        service.check_serving()
        return Response(b'{"status":"ready"}', media_type="application/json")

    return Adapter(
        infers=[InferRoute(predict_route, predict)],
        others=[PlainRoute(health_route, health, is_open=True)],
    )


def _options(given: dict[str, Any], options: ClassifyOptions) -> ClassifyOptions:
    try:
        parameters = _PARAMETERS.validate_python(given)
    except ValidationError as error:
        raise InvalidParameter(f"parameters.{first_fault(error)}") from error
    return ClassifyOptions(
        top_k=parameters.get("maxPredictions") or options.top_k,
        min_score=parameters.get("confidenceThreshold") or options.min_score,
    )
