"""What changes the models that a service has loaded. Does no input or output."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import httpx

from senet_client.errors import InvalidArgument, LoadRefused, TimedOut, UnexpectedAnswer
from senet_client.flow import Flow, Pause, Policy, Retries
from senet_client.requests import WireRequest

_LOOK_SECONDS = 0.25
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """One model as the service tells of it.

    Attributes:
        name: the model's.
        default: whether it answers requests that name no model.
        versions: the state of each version: `ready` or `draining`.
        labels: the version that each label points to.
        split: how many of 100 requests each version answers; empty without a split.
        jobs: the last changes, the newest first, as the service tells of them.
    """

    name: str
    default: bool
    versions: Mapping[str, str]
    labels: Mapping[str, str]
    split: Mapping[str, int]
    jobs: tuple[Mapping[str, Any], ...]


def load_request(model: str, version: int | str, action: str) -> WireRequest:
    """Loads or unloads a version; `action` says which."""
    return WireRequest("POST", f"models/{_word(model)}/versions/{_word(version)}:{action}")


def label_request(model: str, label: str, version: int | str) -> WireRequest:
    """Lets a label point to a version."""
    path = f"models/{_word(model)}/labels/{_word(label)}"
    return _put(path, {"version": _word(version)})


def split_request(model: str, weights: Mapping[str, int]) -> WireRequest:
    """Divides the requests that are for no version."""
    return _put(f"models/{_word(model)}/split", {str(key): own for key, own in weights.items()})


def status_flow(policy: Policy, model: str) -> Flow[ModelStatus]:
    """Asks for one model."""
    request = WireRequest("GET", f"models/{_word(model)}")
    return policy.call(request, lambda response, _: _status(response))


def change_flow(policy: Policy, request: WireRequest, seconds: float) -> Flow[ModelStatus]:
    """Asks for a change and waits until it is made.

    Args:
        policy: how calls are made. A change is asked for once: whether one was made whose answer
            was lost, `status_flow` tells.
        request: the change.
        seconds: how long to wait for its end.

    Raises:
        LoadRefused: if it fails; what was served is still served.
        TimedOut: if it is still under way by then; it goes on.
    """
    once = replace(policy, retries=Retries(attempts=1))
    job = yield from once.call(request, lambda response, _: _job(response))
    model = request.path.split("/")[1]
    end = policy.clock() + seconds
    while True:
        status = yield from status_flow(policy, model)
        found = next((own for own in status.jobs if own.get("id") == job["id"]), job)
        if found["state"] == "failed":
            raise LoadRefused(str(found.get("error", "the service did not say why")))
        if found["state"] == "done":
            return status
        if policy.clock() >= end:
            raise TimedOut(f"{request.path} is not done after {seconds:g} s; it goes on")
        yield Pause(_LOOK_SECONDS)


def _word(value: int | str) -> str:
    text = str(value)
    # Slashes and dots would name another place of the service.
    if isinstance(value, bool) or not isinstance(value, int | str) or not _WORD.fullmatch(text):
        raise InvalidArgument(f"{value!r:.100} is not the name of a model, a version or a label")
    return text


def _put(path: str, content: object) -> WireRequest:
    return WireRequest("PUT", path, (), json.dumps(content).encode(), "application/json")


def _job(response: httpx.Response) -> Mapping[str, Any]:
    try:
        job = response.json()["job"]
        if isinstance(job["id"], str) and isinstance(job["state"], str):
            found: Mapping[str, Any] = job
            return found
    except (ValueError, TypeError, KeyError):
        pass
    raise UnexpectedAnswer(f"{response.url} did not answer with a job")


def _status(response: httpx.Response) -> ModelStatus:
    try:
        body = response.json()
        return ModelStatus(
            name=str(body["name"]),
            default=bool(body["default"]),
            versions={str(own["version"]): str(own["state"]) for own in body["versions"]},
            labels={str(key): str(value) for key, value in body["labels"].items()},
            split={str(key): int(value) for key, value in body["split"].items()},
            jobs=tuple(dict(job) for job in body["jobs"]),
        )
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise UnexpectedAnswer(f"{response.url} did not answer with a model") from error
