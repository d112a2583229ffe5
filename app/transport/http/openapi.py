"""What FastAPI cannot derive for the OpenAPI document: bodies read by hand, problem responses."""

from typing import Any

from pydantic import TypeAdapter

from app.contract.errors import FeedbackConflict, FeedbackNotFound, LoadConflict, LoadRefused
from app.transport.http.json_images import JsonImage
from app.transport.http.problem_body import Problem
from app.transport.http.problems import ANSWERS

_OF_OTHERS = (LoadConflict, LoadRefused, FeedbackNotFound, FeedbackConflict)


def classify_request_body() -> dict[str, Any]:
    """The `requestBody` of `POST /classify`: its three forms."""
    binary = {"schema": {"type": "string", "format": "binary"}}
    parts = {"type": "object", "additionalProperties": binary["schema"], "minProperties": 1}
    images = {"type": "array", "minItems": 1, "items": TypeAdapter(JsonImage).json_schema()}
    document = {"type": "object", "required": ["images"], "properties": {"images": images}}
    return {
        "required": True,
        "content": {
            "image/*": binary,
            "application/octet-stream": binary,
            "multipart/form-data": {"schema": parts},
            "application/json": {"schema": document},
        },
    }


def problem_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses` of the error table.

    Args:
        statuses: which of them; without any, all that an image's request can meet.
    """
    schema = TypeAdapter(Problem).json_schema()
    codes: dict[int, list[str]] = {}
    for error, answer in ANSWERS.items():
        if answer.status in statuses if statuses else error not in _OF_OTHERS:
            codes.setdefault(answer.status, []).append(error.code)
    return {
        status: {
            "description": ", ".join(names),
            "content": {"application/problem+json": {"schema": schema}},
        }
        for status, names in codes.items()
    }
