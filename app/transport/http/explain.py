"""`POST /explain`: where in a photo the network saw a class."""

import asyncio
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from starlette.requests import ClientDisconnect
from starlette.types import Scope

from app.contract.errors import (
    BodyTooLarge,
    DeadlineExceeded,
    OutputNotAvailable,
    RequestError,
)
from app.contract.overlay import DRAWING_BYTES, overlay, to_png
from app.inference.admission import Caller
from app.inference.classification import Classification, ClassifyOptions
from app.inference.queued_image import ClientLeft
from app.inference.service import Service
from app.inference.visit import Visit
from app.pace import Pace
from app.selection.served_model import ServedModel
from app.telemetry.log import annotate
from app.transport.http.auth import address
from app.transport.http.forms import read_uploads
from app.transport.http.openapi import classify_request_body, problem_responses
from app.transport.http.parameters import ExplainParameters, client_timeout_ms, openapi_parameters
from app.transport.http.protocol import CLIENT_LEFT
from app.transport.http.request_body import COPIES, RequestBody, declared_length, expected_memory

EXPLAIN_PATH = "/explain"

_LONGEST_SIDE = 1024
_ALL_CLASSES = 1_000_000
_OPTIONS = ClassifyOptions(
    top_k=_ALL_CLASSES, include=frozenset({"cam"}), photo_longest=_LONGEST_SIDE
)


@dataclass(frozen=True, slots=True)
class ExplainEndpoint:
    """Answers `POST /explain`.

    Attributes:
        service: is visited as `POST /classify` does it: same admission, same memory.
        identify: names the caller of a request, or refuses it.
        max_body_bytes: largest body.
        body_pace: how slowly a body may come.
        request_timeout_ms: the longest deadline, from the end of the body.
    """

    service: Service
    identify: Callable[[Scope], str]
    max_body_bytes: int
    body_pace: Pace
    request_timeout_ms: int

    async def __call__(self, request: Request) -> Response:
        """Takes one image, in any form that `POST /classify` takes, and answers a PNG.

        It is the photo, upright and at most 1,024 pixels long, under the class activation map of
        one class: the best, or `class_index`. What the network did not see of it is darkened.

        Raises:
            RequestError: if the request is refused, or the image cannot be classified.
            ClientDisconnect: if the client left first.
        """
        started, scope = time.monotonic(), request.scope
        headers = dict(scope["headers"])
        client = self.identify(scope)
        parameters = ExplainParameters.parse(scope["query_string"])
        timeout_ms = client_timeout_ms(headers)
        visit = self.service.visit(
            Caller(client, parameters.priority),
            address(scope),
            _OPTIONS,
            started + (timeout_ms / 1000 if timeout_ms else math.inf),
            model=parameters.model,
            version=parameters.version,
        )
        scope.setdefault("state", {})[CLIENT_LEFT] = visit.leave
        try:
            _check(visit.host.model, parameters)
            length = declared_length(headers)
            if length > self.max_body_bytes:
                raise BodyTooLarge(f"{length} bytes; at most {self.max_body_bytes} are accepted")
            visit.hold(expected_memory(headers, length))
            body = RequestBody(
                request.receive, headers, visit, max_bytes=self.max_body_bytes, pace=self.body_pace
            )
            [upload] = await read_uploads(headers, body, max_images=1)
            images = [upload.data]
            del upload
            [answer] = await visit.classify(
                images,
                held=COPIES * len(images[0]) + DRAWING_BYTES,
                seconds=self.request_timeout_ms / 1000,
            )
            if isinstance(answer, RequestError):
                raise answer
            picture = await _drawn(answer, parameters, visit)
        except ClientLeft:
            raise ClientDisconnect from None
        finally:
            visit.close()
        return Response(picture, media_type="image/png")


def explain_router(endpoint: ExplainEndpoint) -> APIRouter:
    """The route and its documentation."""
    router = APIRouter()

    async def explain(request: Request) -> Response:
        return await endpoint(request)

    explain.__doc__ = endpoint.__call__.__doc__
    picture: dict[str, Any] = {
        "description": "The photo under the map",
        "content": {"image/png": {"schema": {"type": "string", "format": "binary"}}},
    }
    router.add_api_route(
        EXPLAIN_PATH,
        explain,
        methods=["POST"],
        summary="Show where in a photo a class was seen",
        response_class=Response,
        responses={200: picture, **problem_responses()},
        openapi_extra={
            "parameters": openapi_parameters(ExplainParameters),
            "requestBody": classify_request_body(),
        },
    )
    return router


def _check(model: ServedModel, parameters: ExplainParameters) -> None:
    annotate(model=model.name, version=model.version, priority=parameters.priority)
    if model.signature.find("class_activation_map") is None:
        raise OutputNotAvailable(f"{model.name}:{model.version} has no class activation maps")
    if parameters.class_index is not None:
        model.check_class(parameters.class_index)


async def _drawn(answer: Classification, parameters: ExplainParameters, visit: Visit) -> bytes:
    """The PNG, drawn in a thread of its own; the visit's place is kept until then."""
    wanted, (best, *_) = parameters.class_index, answer.predictions
    chosen = next((own for own in answer.predictions if own.label.index == wanted), best)
    photo, cam = answer.photo, chosen.cam
    assert photo is not None  # noqa: S101 - the options ask for it
    assert cam is not None  # noqa: S101 - the options ask for it, and `_check` says it is there
    try:
        async with asyncio.timeout(max(0.0, visit.deadline - time.monotonic())):
            return await asyncio.to_thread(
                lambda: to_png(overlay(photo, cam, answer.crop, parameters.opacity))
            )
    except TimeoutError:
        raise DeadlineExceeded("no result by the request's deadline") from None
