"""TorchServe's inference API: `/predictions/{model}`; where its management went is told."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import orjson
from fastapi import Request
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from app.contract.errors import MalformedRequest
from app.contract.manifest import Label
from app.inference.classification import Classification
from app.inference.service import Service
from app.inference.visit import Visit
from app.transport.http.adapters.adapter import Adapter, InferRoute, PlainRoute
from app.transport.http.adapters.bodies import read_photo_or_json
from app.transport.http.adapters.inference import Inference
from app.transport.http.adapters.ping import ping_route
from app.transport.http.arrivals import Arrival
from app.transport.http.classify import SCORE_DIGITS
from app.transport.http.form_images import read_form
from app.transport.http.forms import media_type
from app.transport.http.problem_body import Problem
from app.transport.http.request_body import RequestBody
from app.transport.open_inference.inputs import Images

_METHODS = ("POST", "PUT")  # `curl -T photo.jpg`, as its pages have it, sends PUT
_MOVED = (
    "TorchServe's management is not served; models are loaded from the model repository by"
    " POST /models/{name}/versions/{version}:load, see docs/adapters.md"
)


def torchserve_adapter(service: Service, inference: Inference) -> Adapter:
    """TorchServe.

    Args:
        service: whose health is told.
        inference: classifies.
    """

    async def predict(request: Request, arrival: Arrival) -> Response:
        async def read(body: RequestBody, visit: Visit) -> Images:
            if media_type(arrival.headers) != "multipart/form-data":
                data, is_json = await read_photo_or_json(arrival.headers, body, visit)
                if is_json:
                    raise MalformedRequest("JSON; send the photo's bytes, or a form with one file")
                return [data]
            form = arrival.headers[b"content-type"].decode("latin-1")
            uploads = await read_form(body, form, inference.max_images)
            if len(uploads) != 1:
                raise MalformedRequest(f"the form holds {len(uploads)} images; send one a request")
            return [uploads[0].data]

        done = await inference(request, arrival, read)
        answer = _by_label(done.results[0], done.model.manifest.labels)
        return Response(orjson.dumps(answer), headers=done.headers, media_type="application/json")

    return Adapter(
        infers=[
            InferRoute("/predictions/{model}", predict, _METHODS),
            InferRoute("/predictions/{model}/{version}", predict, _METHODS),
        ],
        others=[
            ping_route(service),
            PlainRoute("/models", _moved, ("POST",), is_open=True),
            PlainRoute("/models/{model}", _moved, ("PUT", "DELETE"), is_open=True),
            PlainRoute("/models/{model}/{version:float}", _moved, ("PUT", "DELETE"), is_open=True),
            PlainRoute(
                "/models/{model}/{version:float}/set-default", _moved, ("PUT",), is_open=True
            ),
        ],
        error_body=_error_body,
    )


async def _moved(_: Request) -> Response:
    raise HTTPException(501, _MOVED)


def _by_label(result: Classification, labels: Sequence[Label]) -> dict[str, float]:
    """The scores by label, the best first; what several classes are called gets their ids."""
    shared = Counter(label.name for label in labels)
    return {
        (label.name if shared[label.name] == 1 else f"{label.name} ({label.id})"): round(
            prediction.score, SCORE_DIGITS
        )
        for prediction in result.predictions
        for label in (prediction.label,)
    }


def _error_body(problem: Problem) -> dict[str, Any]:
    """As TorchServe writes errors."""
    return {"code": problem["status"], "type": problem["code"], "message": problem["detail"]}
