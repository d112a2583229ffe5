"""`POST /classify`."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Annotated, Any, Literal, TypeVar

from fastapi import APIRouter, Depends, Header, Query, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field, field_validator
from starlette.requests import ClientDisconnect

from app.api.forms import Upload, read_uploads
from app.api.openapi import classify_request_body, problem_responses
from app.api.problems import ANSWERS, error_response
from app.api.schemas import ClassifyBody, ItemBody, ItemError, ModelReference, PredictionBody
from app.errors import RequestError
from app.log import annotate
from app.serving.admission import Caller
from app.serving.classifier import Classification, Classifier, ClassifyOptions, ServedModel
from app.serving.service import Service

Result = TypeVar("Result")
# Enough to tell any two scores apart that a float32 softmax can.
_SCORE_DIGITS = 7


class ClassifyParameters(BaseModel):
    """The query of `POST /classify`. A parameter that is not listed is refused."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    model: str | None = None
    """Name of the model; without it, whichever is served."""
    version: str | None = None
    """Version of the model; without it, whichever is served."""
    top_k: Annotated[int, Field(ge=1)] = 5
    """Most classes per image."""
    min_score: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Classes with a lower score are left out."""
    include: list[Literal["embedding", "cam"]] = []
    """Further outputs, repeated or comma-separated: the embedding of the image; the class
    activation map of each class returned."""
    priority: Literal["interactive", "bulk"] = "interactive"
    """Bulk images let interactive ones go first."""

    @field_validator("include", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, list):
            return [part for item in value for part in str(item).split(",") if part]
        return value


def classify_router(
    service: Service,
    authorise: Callable[..., Awaitable[str]],
    *,
    max_images: int,
    request_timeout_ms: int,
) -> APIRouter:
    """The route, bound to its service.

    Args:
        service: hands out the classifier.
        authorise: dependency that names the caller, or refuses it.
        max_images: most images in one request.
        request_timeout_ms: the longest deadline.
    """
    router = APIRouter()

    @router.post(
        "/classify",
        summary="Classify one or several images",
        response_model=ClassifyBody,
        response_model_exclude_unset=True,
        responses=problem_responses(),
        openapi_extra={"requestBody": classify_request_body()},
    )
    async def classify(
        request: Request,
        client: Annotated[str, Depends(authorise)],
        parameters: Annotated[ClassifyParameters, Query()],
        x_request_timeout_ms: Annotated[int | None, Header(ge=1)] = None,
    ) -> Response:
        """Takes one image as the raw body, or several as multipart parts or as base64 in JSON.

        With several images, one that fails has `error` instead of `predictions`; with one, its
        failure is the response.
        """
        timeout_ms = min(x_request_timeout_ms or request_timeout_ms, request_timeout_ms)
        caller = Caller(client, parameters.priority)
        options = ClassifyOptions(
            caller=caller,
            deadline=time.monotonic() + timeout_ms / 1000,
            top_k=parameters.top_k,
            min_score=parameters.min_score,
            include=frozenset(parameters.include),
        )
        # Refused before the body is read: nobody uploads for nothing.
        service.classifier(parameters.model, parameters.version).check_room(caller)
        uploads = await read_uploads(request, max_images)
        classifier = service.classifier(parameters.model, parameters.version)
        work = classifier.classify([upload.data for upload in uploads], options)
        return _response(classifier, uploads, await _unless_client_leaves(request, work))

    return router


async def _unless_client_leaves(request: Request, work: Coroutine[Any, Any, Result]) -> Result:
    """Runs `work`, and cancels it when the client disconnects.

    Raises:
        ClientDisconnect: if the client left first.
    """
    task = asyncio.ensure_future(work)
    # The body has been read, so the only message left to receive is the disconnect.
    gone = asyncio.ensure_future(request.receive())
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        raise ClientDisconnect
    finally:
        task.cancel()
        gone.cancel()


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
    return JSONResponse(body, headers={"server-timing": _server_timing(stages)})


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
