"""The one table from errors to HTTP, and RFC 9457 problem details made from it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from types import MappingProxyType

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from app.contract import errors
from app.telemetry.log import annotate, request_id
from app.transport.http.problem_body import PROBLEM_TYPE as PROBLEM_TYPE
from app.transport.http.problem_body import problem_body as problem_body

# nginx's status for a client that closed the connection; nobody receives it.
CLIENT_CLOSED_REQUEST = 499


@dataclass(frozen=True, slots=True)
class Answer:
    """How one kind of error is told over HTTP."""

    status: int
    title: str


ANSWERS: Mapping[type[errors.RequestError], Answer] = MappingProxyType(
    {
        errors.MalformedRequest: Answer(400, "The request is malformed"),
        errors.Unauthenticated: Answer(401, "A valid API key is required"),
        errors.Forbidden: Answer(403, "The API key does not allow this"),
        errors.ModelNotFound: Answer(404, "The model is not served here"),
        errors.LoadConflict: Answer(409, "The models do not allow this now"),
        errors.LoadRefused: Answer(422, "The model cannot be loaded"),
        errors.FeedbackNotFound: Answer(404, "No such answer is kept"),
        errors.FeedbackConflict: Answer(409, "The image has a label already"),
        errors.BodyTimeout: Answer(408, "The request's body arrived too slowly"),
        errors.BodyTooLarge: Answer(413, "The request's body is too large"),
        errors.TooManyImages: Answer(413, "The request holds too many images"),
        errors.UnsupportedMediaType: Answer(415, "The content type is not supported"),
        errors.UnsupportedImageFormat: Answer(415, "The image format is not supported"),
        errors.InvalidImage: Answer(422, "The image is truncated or corrupt"),
        errors.ImageTooLarge: Answer(422, "The image has too many pixels"),
        errors.OutputNotAvailable: Answer(422, "The model does not have this output"),
        errors.AnswerTooLarge: Answer(422, "The answer would be too large"),
        errors.InvalidParameter: Answer(422, "A parameter is invalid"),
        errors.Overloaded: Answer(429, "The service is at capacity"),
        errors.InferenceFailed: Answer(500, "The inference failed"),
        errors.NotReady: Answer(503, "The service is not ready"),
        errors.Draining: Answer(503, "The service is shutting down"),
        errors.DeadlineExceeded: Answer(504, "The deadline passed"),
    }
)


def error_response(error: errors.RequestError) -> Response:
    """The problem response for an error of the domain."""
    answer = ANSWERS[type(error)]
    return problem_response(
        answer.status, error.code, answer.title, str(error), error_headers(error)
    )


def error_headers(error: errors.RequestError) -> dict[str, str]:
    """The headers that belong to an error, whatever the form of its body."""
    headers = {}
    if isinstance(error, errors.Unavailable):
        headers["retry-after"] = retry_after(error)
    elif isinstance(error, errors.Unauthenticated):
        headers["www-authenticate"] = "Bearer"
    elif isinstance(error, errors.BodyTimeout | errors.BodyTooLarge):
        headers["connection"] = "close"  # for there is no end of the body in sight
    return headers


def internal_error() -> Response:
    """The answer where something unexpected went wrong."""
    return problem_response(
        500, "internal_error", "Internal error", "an unexpected error; it is in the log"
    )


def problem_response(
    status: int, code: str, title: str, detail: str, headers: Mapping[str, str] | None = None
) -> Response:
    """Builds a problem response."""
    annotate(outcome=code)
    body = problem_body(status, code, title, detail, request_id.get())
    return Response(body, status, headers, media_type=PROBLEM_TYPE)


def retry_after(error: errors.Unavailable) -> str:
    """The value of `Retry-After`, in whole seconds."""
    return str(max(1, math.ceil(error.retry_after_seconds)))


def install_error_handlers(app: FastAPI) -> None:
    """Makes every error that a route raises a problem response."""

    @app.exception_handler(errors.RequestError)
    async def on_request_error(_: Request, error: errors.RequestError) -> Response:
        return error_response(error)

    @app.exception_handler(RequestValidationError)
    async def on_invalid(_: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"][1:])
        return error_response(errors.InvalidParameter(f"{where}: {first['msg']}"))

    @app.exception_handler(HTTPException)
    async def on_http(_: Request, error: HTTPException) -> Response:
        phrase = HTTPStatus(error.status_code).phrase
        code = phrase.lower().replace(" ", "_")
        return problem_response(error.status_code, code, phrase, error.detail, error.headers)

    @app.exception_handler(ClientDisconnect)
    async def on_disconnect(_: Request, _error: ClientDisconnect) -> Response:
        return Response(status_code=CLIENT_CLOSED_REQUEST)
