"""`POST /classify`."""

from collections.abc import Sequence

import orjson
from fastapi import APIRouter, Request
from fastapi.responses import Response
from starlette.requests import ClientDisconnect

from app.contract.errors import RequestError
from app.contract.reject import REASON
from app.inference.classification import Prediction
from app.inference.feedback import Feedback
from app.inference.queued_image import Answer, ClientLeft
from app.pace import Pace
from app.selection.served_model import ServedModel
from app.telemetry.log import annotate
from app.telemetry.records import Recorder
from app.transport.http.answer_notes import note_answers
from app.transport.http.answer_weight import check_weight
from app.transport.http.arrivals import CLASSIFY_PATH, Arrival, Arrivals
from app.transport.http.forms import read_uploads
from app.transport.http.openapi import classify_request_body, problem_responses
from app.transport.http.parameters import ClassifyParameters, openapi_parameters
from app.transport.http.problems import ANSWERS, error_response
from app.transport.http.record_rows import records_of
from app.transport.http.request_body import COPIES, Body, RequestBody
from app.transport.http.schemas import (
    ClassifyBody,
    ItemBody,
    ItemError,
    ModelReference,
    PredictionBody,
    SetMember,
)

SCORE_DIGITS = 7
"""Enough to tell any two scores apart that a float32 softmax can."""
# Of a pixel.
_CROP_DIGITS = 2


class ClassifyEndpoint:
    """Answers `POST /classify`.

    Args:
        arrivals: decides about requests.
        max_images: most images in one request.
        max_body_bytes: largest body.
        max_answer_bytes: largest answer.
        body_pace: how slowly a body may come.
        recorder: records a share of the requests; None if nobody does.
        feedback: keeps the answers for late labels; None if nobody does.
        request_timeout_ms: the longest deadline, from the end of the body: how long the body may
            take is not for it to say. What a client sets counts from the head.
    """

    def __init__(
        self,
        arrivals: Arrivals,
        *,
        max_images: int,
        max_body_bytes: int,
        max_answer_bytes: int,
        body_pace: Pace,
        recorder: Recorder | None = None,
        feedback: Feedback | None = None,
        request_timeout_ms: int,
    ) -> None:
        self._arrivals = arrivals
        self._max_images = max_images
        self._max_body_bytes = max_body_bytes
        self._max_answer_bytes = max_answer_bytes
        self._body_pace = body_pace
        self._recorder = recorder
        self._feedback = feedback
        self._request_timeout_seconds = request_timeout_ms / 1000

    async def __call__(self, request: Request) -> Response:
        """Takes one image as the raw body, or several as multipart parts or as base64 in JSON.

        With several images, one that fails has `error` instead of `predictions`; with one, its
        failure is the response.

        Raises:
            RequestError: if the request is refused.
            ClientDisconnect: if the client left first.
        """
        arrival = self._arrivals.of(request.scope)
        annotate(**arrival.fields)
        body = RequestBody(
            request.receive,
            arrival.headers,
            arrival.visit(),
            max_bytes=self._max_body_bytes,
            pace=self._body_pace,
        )
        return await self.answer(arrival, body)

    async def answer(self, arrival: Arrival, body: Body) -> Response:
        """Answers a request, and closes its arrival; raises what a call does."""
        visit = arrival.visit()
        try:
            uploads = await read_uploads(arrival.headers, body, self._max_images)
            if len(uploads) > 1:  # of one it was asked for at the head
                check_weight(visit.host.model, visit.options, len(uploads), self._max_answer_bytes)
            names = [upload.name for upload in uploads]
            images = [upload.data for upload in uploads]
            del uploads
            recorder = self._recorder
            recorded = list(images) if recorder is not None and recorder.wants() else []
            results = await visit.classify(
                images,
                held=COPIES * sum(map(len, images)),
                seconds=self._request_timeout_seconds,
            )
        except ClientLeft:
            raise ClientDisconnect from None
        finally:
            arrival.close()
        if recorder is not None and recorded:
            caller = arrival.fields.get("caller")
            model = visit.host.model
            recorder.put(records_of(arrival.id, caller, model, recorded, results))
        if self._feedback is not None:
            self._feedback.keep(visit.caller.client, arrival.id, visit.host.model, results)
        return _response(visit.host.model, names, results)


def classify_router(endpoint: ClassifyEndpoint) -> APIRouter:
    """The route and its documentation."""
    router = APIRouter()

    async def classify(request: Request) -> Response:
        return await endpoint(request)

    classify.__doc__ = endpoint.__call__.__doc__
    router.add_api_route(
        CLASSIFY_PATH,
        classify,
        methods=["POST"],
        summary="Classify one or several images",
        response_model=ClassifyBody,
        responses=problem_responses(),
        openapi_extra={
            "parameters": openapi_parameters(ClassifyParameters),
            "requestBody": classify_request_body(),
        },
    )
    return router


def _response(
    model: ServedModel, names: Sequence[str | None], results: Sequence[Answer]
) -> Response:
    timing = note_answers(results)
    if len(results) == 1 and isinstance(results[0], RequestError):
        return error_response(results[0])
    body = ClassifyBody(
        model=model_reference(model),
        results=[
            _item(index, name, result)
            for index, (name, result) in enumerate(zip(names, results, strict=True))
        ],
    )
    return Response(
        orjson.dumps(body),
        headers={"server-timing": timing},
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


def _item(index: int, name: str | None, result: Answer) -> ItemBody:
    item = ItemBody(index=index, name=name)
    if isinstance(result, RequestError):
        title = ANSWERS[type(result)].title
        item["error"] = ItemError(code=result.code, title=title, detail=str(result))
        return item
    item["predictions"] = [
        _prediction(rank, prediction) for rank, prediction in enumerate(result.predictions, start=1)
    ]
    item["crop"] = [round(edge, _CROP_DIGITS) for edge in result.crop]
    if result.embedding is not None:
        item["embedding"] = result.embedding.tolist()
    if result.is_rejected:
        item["rejected"] = True
        item["reason"] = REASON
    if result.excitations is not None:
        item["excitations"] = {block: own.tolist() for block, own in result.excitations.items()}
    if result.prediction_set is not None:
        item["prediction_set"] = [
            SetMember(
                class_index=member.label.index,
                id=member.label.id,
                label=member.label.name,
                score=round(member.score, SCORE_DIGITS),
            )
            for member in result.prediction_set
        ]
    return item


def _prediction(rank: int, prediction: Prediction) -> PredictionBody:
    label = prediction.label
    # Written out: calling `PredictionBody` would take as long again.
    body: PredictionBody = {
        "rank": rank,
        "class_index": label.index,
        "id": label.id,
        "label": label.name,
        "score": round(prediction.score, SCORE_DIGITS),
    }
    if prediction.cam is not None:
        body["cam"] = prediction.cam.tolist()
    return body
