"""`POST /feedback`: labels that come late (scope `feedback`)."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from app.contract.errors import FeedbackNotFound, RequestError
from app.inference.feedback import Feedback
from app.pace import Pace
from app.transport.http.openapi import problem_responses
from app.transport.http.problems import ANSWERS, error_response
from app.transport.http.schemas import FeedbackBody, FeedbackItemBody, ItemError
from app.transport.http.small_body import read_small

_MOST = 1_000
_MOST_BYTES = 256 * 1024
_Index = Annotated[int, Field(ge=0, le=2**31 - 1, strict=True)]


class _Label(BaseModel):
    """The right class of one image of an answered request."""

    model_config = ConfigDict(extra="forbid")

    request_id: Annotated[str, Field(min_length=1, max_length=128)]
    index: _Index
    class_index: _Index


_LABELS = TypeAdapter(Annotated[list[_Label], Field(min_length=1, max_length=_MOST)])


def feedback_router(
    feedback: Feedback | None, authorise: Callable[..., Awaitable[str]], pace: Pace
) -> APIRouter:
    """The route.

    Args:
        feedback: keeps the answers; None if that is switched off.
        authorise: dependency that names the caller, or refuses.
        pace: how slowly a body may come.
    """
    router = APIRouter()
    schema = {"application/json": {"schema": _LABELS.json_schema()}}

    @router.post(
        "/feedback",
        summary="Say which classes images that were classified really have",
        response_model=FeedbackBody,
        responses=problem_responses(400, 401, 403, 404, 408, 409, 413, 422),
        openapi_extra={"requestBody": {"required": True, "content": schema}},
    )
    async def label(
        request: Request, caller: Annotated[str, Depends(authorise)]
    ) -> FeedbackBody | Response:
        """Takes up to 1,000 labels; one that is not accepted has `error`. With a single label its
        failure is the response.
        """
        if feedback is None:
            raise FeedbackNotFound(
                "answers are not kept for feedback here: start the service with"
                " --feedback-seconds (SENET_FEEDBACK_SECONDS)"
            )
        labels = await read_small(request, _LABELS, pace, most_bytes=_MOST_BYTES)
        results: list[FeedbackItemBody] = []
        for own in labels:
            try:
                is_right = feedback.label(caller, own.request_id, own.index, own.class_index)
                results.append(FeedbackItemBody(right=is_right))
            except RequestError as error:
                if len(labels) == 1:
                    return error_response(error)
                title = ANSWERS[type(error)].title
                told = ItemError(code=error.code, title=title, detail=str(error))
                results.append(FeedbackItemBody(error=told))
        accepted = sum("right" in result for result in results)
        return FeedbackBody(accepted=accepted, results=results)

    return router
