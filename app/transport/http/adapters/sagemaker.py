"""Amazon SageMaker's contract of containers: `/ping` and `/invocations`."""

from typing import Any

import orjson
from fastapi import Request
from fastapi.responses import Response
from pydantic import TypeAdapter

from app.inference.service import Service
from app.inference.visit import Visit
from app.transport.http.adapters.adapter import Adapter, InferRoute
from app.transport.http.adapters.bodies import read_photo_or_json
from app.transport.http.adapters.huggingface import Inputs, read_inputs
from app.transport.http.adapters.inference import Inference
from app.transport.http.adapters.instances import Instances, images_of
from app.transport.http.adapters.ping import ping_route
from app.transport.http.adapters.ranked import predictions_response, ranked_labels
from app.transport.http.arrivals import Arrival
from app.transport.http.json_text import read_document
from app.transport.http.request_body import RequestBody
from app.transport.open_inference.inputs import Images

# The forms of Hugging Face's and of TensorFlow Serving's containers there.
_EITHER: TypeAdapter[Any] = TypeAdapter(Inputs | Instances)


def sagemaker_adapter(service: Service, inference: Inference) -> Adapter:
    """Amazon SageMaker.

    Args:
        service: whose health is told.
        inference: classifies.
    """

    async def invoke(request: Request, arrival: Arrival) -> Response:
        are_instances = False

        async def read(body: RequestBody, visit: Visit) -> Images:
            nonlocal are_instances
            data, is_json = await read_photo_or_json(arrival.headers, body, visit)
            if not is_json:
                return [data]
            document = read_document(_EITHER, data)
            are_instances = "instances" in document
            if are_instances:
                return await images_of(document, inference.max_images)
            return [await read_inputs(document, visit)]

        done = await inference(request, arrival, read, name="instance")
        if are_instances:
            return predictions_response(done)
        answer = ranked_labels(done.results[0])
        return Response(orjson.dumps(answer), headers=done.headers, media_type="application/json")

    return Adapter(infers=[InferRoute("/invocations", invoke)], others=[ping_route(service)])
