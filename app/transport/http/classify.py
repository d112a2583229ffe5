"""`POST /classify`."""

import asyncio
import math
import time
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import orjson
from fastapi import APIRouter, Request
from fastapi.responses import Response
from starlette.requests import ClientDisconnect

from app.contract.errors import RequestError
from app.inference.classification import Classification, ClassifyOptions
from app.inference.classifier import Classifier
from app.inference.service import Service
from app.selection.served_model import ServedModel
from app.telemetry.log import annotate
from app.transport.http.answer_weight import check_weight
from app.transport.http.direct import Endpoint
from app.transport.http.forms import read_uploads
from app.transport.http.openapi import classify_request_body, problem_responses
from app.transport.http.parameters import client_timeout_ms, openapi_parameters
from app.transport.http.problems import ANSWERS, error_response
from app.transport.http.reservation import Door
from app.transport.http.schemas import (
    ClassifyBody,
    ItemBody,
    ItemError,
    ModelReference,
    PredictionBody,
)
from app.transport.http.uploads import Upload

CLASSIFY_PATH = "/classify"

Result = TypeVar("Result")
# Enough to tell any two scores apart that a float32 softmax can.
_SCORE_DIGITS = 7


def classify_endpoint(
    service: Service,
    door: Door,
    *,
    max_images: int,
    max_answer_bytes: int,
    request_timeout_ms: int,
) -> Endpoint:
    """The endpoint, bound to its service.

    Args:
        service: hands out the classifier.
        door: lets requests in.
        max_images: most images in one request.
        max_answer_bytes: largest answer.
        request_timeout_ms: the longest deadline, from the end of the body: how long the body may
            take is not for it to say. What a client sets counts from the head.
    """

    async def classify(request: Request) -> Response:
        """Takes one image as the raw body, or several as multipart parts or as base64 in JSON.

        With several images, one that fails has `error` instead of `predictions`; with one, its
        failure is the response.
        """
        parameters, caller = door.enter(request.scope)
        own_timeout_ms = client_timeout_ms(request.headers)
        own_deadline = time.monotonic() + (own_timeout_ms or math.inf) / 1000
        options = ClassifyOptions(
            caller=caller,
            deadline=own_deadline,
            top_k=parameters.top_k,
            min_score=parameters.min_score,
            include=parameters.include,
        )
        classifier = service.classifier(parameters.model, parameters.version)
        check_weight(classifier.model, options, 1, max_answer_bytes)  # told before the upload
        uploads = await read_uploads(request, max_images)
        limit = time.monotonic() + request_timeout_ms / 1000
        options = replace(options, deadline=min(own_deadline, limit))
        # A drain may have begun while the body came.
        classifier = service.classifier(parameters.model, parameters.version)
        check_weight(classifier.model, options, len(uploads), max_answer_bytes)
        work = classifier.classify([upload.data for upload in uploads], options)
        return _response(classifier, uploads, await _unless_client_leaves(request, work))

    return classify


def classify_router(endpoint: Endpoint) -> APIRouter:
    """The route and its documentation."""
    router = APIRouter()
    router.add_api_route(
        CLASSIFY_PATH,
        endpoint,
        methods=["POST"],
        summary="Classify one or several images",
        response_model=ClassifyBody,
        responses=problem_responses(),
        openapi_extra={
            "parameters": openapi_parameters(),
            "requestBody": classify_request_body(),
        },
    )
    return router


async def _unless_client_leaves(request: Request, work: Coroutine[Any, Any, Result]) -> Result:
    """Runs `work`, and cancels it when the client disconnects.

    Raises:
        ClientDisconnect: if the client left first.
    """
    this = asyncio.current_task()
    assert this is not None  # noqa: S101 - a coroutine runs in a task
    left = False

    async def watch() -> None:
        nonlocal left
        # The body has been read, so the only message left to receive is the disconnect.
        await request.receive()
        left = True
        this.cancel()

    watcher = asyncio.create_task(watch())
    try:
        return await work
    except asyncio.CancelledError:
        if left and not this.uncancel():
            raise ClientDisconnect from None
        raise
    finally:
        watcher.cancel()


def _response(
    classifier: Classifier,
    uploads: Sequence[Upload],
    results: Sequence[Classification | RequestError],
) -> Response:
    stages = _stages(results)
    failed = sum(isinstance(result, RequestError) for result in results)
    annotate(
        images=len(results),
        failed_images=failed,
        **{f"{name}_ms": round(seconds * 1000, 3) for name, seconds in stages.items()},
    )
    if len(results) == 1 and isinstance(results[0], RequestError):
        return error_response(results[0])
    body = ClassifyBody(
        model=model_reference(classifier.model),
        results=[
            _item(index, upload.name, result)
            for index, (upload, result) in enumerate(zip(uploads, results, strict=True))
        ],
    )
    return Response(
        orjson.dumps(body),
        headers={"server-timing": _server_timing(stages)},
        media_type="application/json",
    )


def model_reference(model: ServedModel) -> ModelReference:
    """Which model answers, exactly."""
    return ModelReference(
        name=model.name,
        version=model.version,
        precision=model.variant.precision,
        digest=model.digest,
        preprocessing=model.manifest.preprocessing.digest,
    )


def _item(index: int, name: str | None, result: Classification | RequestError) -> ItemBody:
    item = ItemBody(index=index, name=name)
    if isinstance(result, RequestError):
        title = ANSWERS[type(result)].title
        item["error"] = ItemError(code=result.code, title=title, detail=str(result))
        return item
    item["predictions"] = [
        PredictionBody(
            rank=rank,
            class_index=prediction.label.index,
            id=prediction.label.id,
            label=prediction.label.name,
            score=round(prediction.score, _SCORE_DIGITS),
        )
        for rank, prediction in enumerate(result.predictions, start=1)
    ]
    for body, prediction in zip(item["predictions"], result.predictions, strict=True):
        if prediction.cam is not None:
            body["cam"] = prediction.cam.tolist()
    if result.embedding is not None:
        item["embedding"] = result.embedding.tolist()
    return item


def _stages(results: Sequence[Classification | RequestError]) -> dict[str, float]:
    """The slowest image's stages, in seconds."""
    done = [result for result in results if isinstance(result, Classification)]
    return {
        "decode": max((result.decode_seconds for result in done), default=0.0),
        "queue": max((result.queue_seconds for result in done), default=0.0),
        "inference": max((result.inference_seconds for result in done), default=0.0),
    }


def _server_timing(stages: Mapping[str, float]) -> str:
    """The stages as W3C Server Timing writes them, in milliseconds."""
    return ", ".join(f"{name};dur={seconds * 1000:.3f}" for name, seconds in stages.items())
