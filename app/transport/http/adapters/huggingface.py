"""Hugging Face's image classification: `POST /`."""

from typing import Annotated, Any, Literal, NotRequired

import orjson
from fastapi import Request
from fastapi.responses import Response
from pydantic import ConfigDict, Field, TypeAdapter, with_config
from typing_extensions import TypedDict

from app.contract.errors import InvalidParameter
from app.inference.classification import ClassifyOptions
from app.inference.visit import Visit
from app.transport.http.adapters.adapter import Adapter, InferRoute
from app.transport.http.adapters.bodies import read_photo_or_json
from app.transport.http.adapters.inference import Inference
from app.transport.http.arrivals import Arrival
from app.transport.http.classify import SCORE_DIGITS
from app.transport.http.json_text import decode_image_aside, read_document
from app.transport.http.request_body import RequestBody
from app.transport.open_inference.inputs import Images

_OWN_FUNCTION = "softmax"


@with_config(ConfigDict(strict=True, extra="forbid"))
class _Parameters(TypedDict):
    top_k: NotRequired[Annotated[int, Field(ge=1)] | None]
    function_to_apply: NotRequired[Literal["softmax", "sigmoid", "none"] | None]


@with_config(ConfigDict(strict=True, extra="forbid"))
class Inputs(TypedDict):
    """The JSON form of a request."""

    inputs: str
    parameters: NotRequired[_Parameters | None]
    # How the hub shall cache and wait.
    options: NotRequired[dict[str, Any] | None]


_INPUTS = TypeAdapter(Inputs)


def huggingface_adapter(inference: Inference) -> Adapter:
    """Hugging Face's image classification.

    Args:
        inference: classifies.
    """

    async def classify(request: Request, arrival: Arrival) -> Response:
        async def read(body: RequestBody, visit: Visit) -> Images:
            data, is_json = await read_photo_or_json(arrival.headers, body, visit)
            if is_json:
                data = await read_inputs(read_document(_INPUTS, data), visit)
            return [data]

        done = await inference(request, arrival, read)
        classes = [
            {"label": prediction.label.name, "score": round(prediction.score, SCORE_DIGITS)}
            for prediction in done.results[0].predictions
        ]
        return Response(orjson.dumps(classes), headers=done.headers, media_type="application/json")

    return Adapter(infers=[InferRoute("/", classify)])


async def read_inputs(document: Inputs, visit: Visit) -> bytes:
    """The photo of a request in JSON, whose parameters become the visit's.

    Raises:
        MalformedRequest: if it is not base64.
        InvalidParameter: if another function is to be applied than the model's own.
    """
    parameters = document.get("parameters") or _Parameters()
    function = parameters.get("function_to_apply") or _OWN_FUNCTION
    if function != _OWN_FUNCTION:
        raise InvalidParameter(
            f"function_to_apply: {function} is not what this model was made with; its scores are"
            f" of {_OWN_FUNCTION}"
        )
    if (top_k := parameters.get("top_k")) is not None:
        visit.options = ClassifyOptions(top_k, visit.options.min_score)
    return await decode_image_aside(document["inputs"], "inputs")
