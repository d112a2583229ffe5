"""The service's wire format on the way in: answers and errors. Does no input or output."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

import httpx

from senet_client import errors
from senet_client.errors import SenetClientError, ServiceError, UnexpectedAnswer
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

T = TypeVar("T")


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
    model = _model(_get(body, "model", dict))
    request_id = response.headers.get("x-request-id", "")
    url = str(response.url.copy_with(query=None))
    items = _get(body, "results", list)
    if [_get(item, "index", int) for item in items] != list(range(len(names))):
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
    return [_loaded(item) for item in _get(_object(response), "models", list)]


def parse_class_gates(response: httpx.Response) -> ClassGates:
    """Reads the answer of `GET /models/{m}/versions/{v}/gates/{class_index}`.

    Raises:
        UnexpectedAnswer: if it is not an answer of this API.
    """
    body = _object(response)
    blocks = _get(body, "blocks", dict)
    return ClassGates(
        label=_get(body, "label", str),
        dataset=_get(body, "dataset", str),
        photos=_get(body, "photos", int),
        blocks={
            name: BlockGates(to_array(_get(own, "mean", list)), to_array(_get(own, "spread", list)))
            for name, own in blocks.items()
        },
    )


def parse_error(response: httpx.Response, now: datetime | None = None) -> SenetClientError:
    """The error that a response of another status than 200 tells of.

    Args:
        response: the response, its body read.
        now: for a `Retry-After` that is a date; the current time by default.
    """
    problem = _problem(response)
    if problem is None:
        return _foreign_error(response)
    code = str(problem["code"])
    if code in ("not_found", "method_not_allowed"):
        return UnexpectedAnswer(
            f"{response.url} is not part of its API; is the base URL that of the service, and does"
            " the service speak this client's API?"
        )
    error = _named(code, f"{problem.get('title', code)}: {problem.get('detail', '')}")
    error.request_id = problem.get("request_id")
    if isinstance(error, ServiceError):
        error.status = response.status_code
        error.retry_after_seconds = _retry_after(response, now or datetime.now(UTC))
    return error


def _problem(response: httpx.Response) -> dict[str, Any] | None:
    try:
        body = response.json()
    except ValueError:
        return None
    return body if isinstance(body, dict) and isinstance(body.get("code"), str) else None


def _foreign_error(response: httpx.Response) -> SenetClientError:
    """An error that a proxy or another service answered."""
    status = response.status_code
    message = f"{response.url} answered {status} {response.reason_phrase}"
    if status == httpx.codes.BAD_GATEWAY:
        return errors.ConnectionFailed(f"{message}: no service behind the gateway")
    if status in (httpx.codes.TOO_MANY_REQUESTS, httpx.codes.SERVICE_UNAVAILABLE):
        error = errors.Unavailable(message)
        error.code = "unavailable"
        error.status = status
        error.retry_after_seconds = _retry_after(response, datetime.now(UTC))
        return error
    if status == httpx.codes.GATEWAY_TIMEOUT:
        return errors.TimedOut(message)
    return UnexpectedAnswer(f"{message}, which is not an answer of the service's API")


def _named(code: str, message: str) -> SenetClientError:
    kind = errors.BY_CODE.get(code, ServiceError)
    error = kind(message)
    error.code = code
    return error


def _retry_after(response: httpx.Response, now: datetime) -> float | None:
    """`Retry-After` in seconds, whether it came as seconds or as a date (RFC 9110, 10.2.3)."""
    text = response.headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, (date.replace(tzinfo=date.tzinfo or UTC) - now).total_seconds())


def _failure(
    item: Mapping[str, Any], name: str | None, request_id: str, attempts: int, url: str
) -> SenetClientError:
    error = parse_item_error(item)
    error.request_id, error.attempts = request_id, attempts
    error.names, error.url = (name,), url
    return error


def parse_item_error(item: Mapping[str, Any]) -> SenetClientError:
    """The error of one of several items."""
    told = _get(item, "error", dict)
    return _named(_get(told, "code", str), f"{told.get('title')}: {told.get('detail')}")


def _answered(item: Mapping[str, Any]) -> dict[str, Any]:
    """What an image's own part of the answer holds."""
    embedding = item.get("embedding")
    return {
        "predictions": tuple(_prediction(value) for value in _get(item, "predictions", list)),
        "embedding": None if embedding is None else to_array(embedding),
        "crop": _crop(item),
        "excitations": _excitations(item),
        "prediction_set": _prediction_set(item),
        "index": _get(item, "index", int),
        "rejected": item.get("rejected") is True,
        "reason": item.get("reason"),
    }


def _prediction_set(item: Mapping[str, Any]) -> tuple[SetMember, ...] | None:
    if item.get("prediction_set") is None:
        return None
    return tuple(
        SetMember(
            _get(member, "class_index", int),
            _get(member, "id", str),
            _get(member, "label", str),
            _get(member, "score", float),
        )
        for member in _get(item, "prediction_set", list)
    )


def _excitations(item: Mapping[str, Any]) -> dict[str, Array] | None:
    if item.get("excitations") is None:
        return None
    blocks = _get(item, "excitations", dict)
    return {block: to_array(_get(blocks, block, list)) for block in blocks}


def _crop(item: Mapping[str, Any]) -> tuple[float, float, float, float] | None:
    if item.get("crop") is None:
        return None
    try:
        left, top, right, bottom = map(float, _get(item, "crop", list))
    except (TypeError, ValueError) as error:
        raise UnexpectedAnswer("the answer's crop is not four numbers") from error
    return left, top, right, bottom


def _prediction(value: Mapping[str, Any]) -> Prediction:
    cam = value.get("cam")
    return Prediction(
        rank=_get(value, "rank", int),
        class_index=_get(value, "class_index", int),
        id=_get(value, "id", str),
        label=_get(value, "label", str),
        score=_get(value, "score", float),
        cam=None if cam is None else to_array(cam),
    )


def _model(value: Mapping[str, Any]) -> Model:
    names = ("name", "version", "precision", "digest", "preprocessing")
    return Model(*(_get(value, name, str) for name in names))


def _loaded(value: Mapping[str, Any]) -> LoadedModel:
    model, size = _model(value), _get(value, "input", dict)
    return LoadedModel(
        name=model.name,
        version=model.version,
        precision=model.precision,
        digest=model.digest,
        preprocessing=model.preprocessing,
        architecture=_get(value, "architecture", str),
        provider=_get(value, "provider", str),
        height=_get(size, "height", int),
        width=_get(size, "width", int),
        labels=_get(value, "labels", int),
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


def _get(value: Mapping[str, Any], name: str, kind: type[T]) -> T:
    found = value.get(name) if isinstance(value, dict) else None
    # JSON has one kind of number, and 1.0 may come as 1.
    if kind is float and isinstance(found, int):
        found = float(found)
    if not isinstance(found, kind):
        raise UnexpectedAnswer(
            f"the answer has no usable {name!r}; does the service speak this client's API?"
        )
    return found
