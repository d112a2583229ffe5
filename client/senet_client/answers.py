"""The service's wire format on the way in: answers. Does no input or output."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import httpx

from senet_client.error_answers import parse_error as parse_error
from senet_client.error_answers import parse_item_error
from senet_client.errors import SenetClientError, UnexpectedAnswer
from senet_client.members import member
from senet_client.results import (
    Array,
    Batch,
    BlockGates,
    ClassGates,
    Classification,
    LoadedModel,
    Model,
    Prediction,
    Sent,
    SetMember,
    Timing,
    to_array,
)


def parse_classify(response: httpx.Response, names: Sequence[str | None], sent: Sent) -> Batch:
    """Reads the answer to a classification.

    Args:
        response: of status 200.
        names: the caller's name for each image.
        sent: how the request was sent.

    Raises:
        UnexpectedAnswer: if it is not an answer of this API to that many images.
    """
    body = _object(response)
    model = _model(member(body, "model", dict))
    request_id = response.headers.get("x-request-id", "")
    url = str(response.url.copy_with(query=None))
    items = member(body, "results", list)
    if [member(item, "index", int) for item in items] != list(range(len(names))):
        raise UnexpectedAnswer(f"{len(names)} images were sent, {len(items)} results came back")
    timing = _timing(response, sent)
    results = [
        _failure(item, name, request_id, sent.attempts, url)
        if "error" in item
        else Classification(
            name=name,
            model=model,
            request_id=request_id,
            attempts=sent.attempts,
            timing=timing,
            **_answered(item),
        )
        for item, name in zip(items, names, strict=True)
    ]
    return Batch(model, tuple(results), request_id, sent.attempts, timing)


def _timing(response: httpx.Response, sent: Sent) -> Timing:
    """How long the request took, as seen from here and as the service tells."""
    stages: dict[str, float] = {}
    for entry in response.headers.get("server-timing", "").split(","):
        name, _, milliseconds = entry.strip().partition(";dur=")
        with suppress(ValueError):  # a proxy's entry, or none
            stages[name] = float(milliseconds)
    return Timing(
        total_ms=sent.seconds * 1000,
        decode_ms=stages.get("decode"),
        queue_ms=stages.get("queue"),
        inference_ms=stages.get("inference"),
    )


def parse_picture(response: httpx.Response) -> bytes:
    """Reads the answer of `POST /explain`.

    Raises:
        UnexpectedAnswer: if it is not a PNG picture.
    """
    if response.headers.get("content-type") != "image/png":
        raise UnexpectedAnswer(f"{response.url} did not answer with a PNG picture")
    return response.content


def parse_models(response: httpx.Response) -> list[LoadedModel]:
    """Reads the answer of `GET /models`.

    Raises:
        UnexpectedAnswer: if it is not an answer of this API.
    """
    return [_loaded(item) for item in member(_object(response), "models", list)]


def parse_class_gates(response: httpx.Response) -> ClassGates:
    """Reads the answer of `GET /models/{m}/versions/{v}/gates/{class_index}`.

    Raises:
        UnexpectedAnswer: if it is not an answer of this API.
    """
    body = _object(response)
    blocks = member(body, "blocks", dict)
    return ClassGates(
        label=member(body, "label", str),
        dataset=member(body, "dataset", str),
        photos=member(body, "photos", int),
        blocks={
            name: BlockGates(
                to_array(member(own, "mean", list)), to_array(member(own, "spread", list))
            )
            for name, own in blocks.items()
        },
    )


def _failure(
    item: Mapping[str, Any], name: str | None, request_id: str, attempts: int, url: str
) -> SenetClientError:
    error = parse_item_error(item)
    error.request_id, error.attempts = request_id, attempts
    error.names, error.url = (name,), url
    return error


def _answered(item: Mapping[str, Any]) -> dict[str, Any]:
    """What an image's own part of the answer holds."""
    embedding = item.get("embedding")
    return {
        "predictions": tuple(_prediction(value) for value in member(item, "predictions", list)),
        "embedding": None if embedding is None else to_array(embedding),
        "crop": _crop(item),
        "excitations": _excitations(item),
        "prediction_set": _prediction_set(item),
        "index": member(item, "index", int),
        "rejected": item.get("rejected") is True,
        "reason": item.get("reason"),
    }


def _prediction_set(item: Mapping[str, Any]) -> tuple[SetMember, ...] | None:
    if item.get("prediction_set") is None:
        return None
    return tuple(
        SetMember(
            member(own, "class_index", int),
            member(own, "id", str),
            member(own, "label", str),
            member(own, "score", float),
        )
        for own in member(item, "prediction_set", list)
    )


def _excitations(item: Mapping[str, Any]) -> dict[str, Array] | None:
    if item.get("excitations") is None:
        return None
    blocks = member(item, "excitations", dict)
    return {block: to_array(member(blocks, block, list)) for block in blocks}


def _crop(item: Mapping[str, Any]) -> tuple[float, float, float, float] | None:
    if item.get("crop") is None:
        return None
    try:
        left, top, right, bottom = map(float, member(item, "crop", list))
    except (TypeError, ValueError) as error:
        raise UnexpectedAnswer("the answer's crop is not four numbers") from error
    return left, top, right, bottom


def _prediction(value: Mapping[str, Any]) -> Prediction:
    cam = value.get("cam")
    return Prediction(
        rank=member(value, "rank", int),
        class_index=member(value, "class_index", int),
        id=member(value, "id", str),
        label=member(value, "label", str),
        score=member(value, "score", float),
        cam=None if cam is None else to_array(cam),
    )


def _model(value: Mapping[str, Any]) -> Model:
    names = ("name", "version", "precision", "digest", "preprocessing")
    return Model(*(member(value, name, str) for name in names))


def _loaded(value: Mapping[str, Any]) -> LoadedModel:
    model, size = _model(value), member(value, "input", dict)
    return LoadedModel(
        name=model.name,
        version=model.version,
        precision=model.precision,
        digest=model.digest,
        preprocessing=model.preprocessing,
        architecture=member(value, "architecture", str),
        provider=member(value, "provider", str),
        height=member(size, "height", int),
        width=member(size, "width", int),
        labels=member(value, "labels", int),
        exif_transpose=value.get("exif_transpose") is not False,
    )


def _object(response: httpx.Response) -> dict[str, Any]:
    try:
        body = response.json()
    except ValueError as error:
        raise UnexpectedAnswer(f"{response.url} did not answer with JSON") from error
    if not isinstance(body, dict):
        raise UnexpectedAnswer(f"{response.url} did not answer with a JSON object")
    return body
