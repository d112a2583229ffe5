"""Labels that come late: which class an answered image really has. Does no input or output."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import httpx

from senet_client.error_answers import parse_item_error
from senet_client.errors import InvalidArgument, SenetClientError, ServiceError, UnexpectedAnswer
from senet_client.flow import Flow, Policy, Retries
from senet_client.requests import WireRequest

LABELS_PER_REQUEST = 1000
"""The service takes no more."""


@dataclass(frozen=True, slots=True)
class Label:
    """The right class of one image.

    Attributes:
        request_id: of the answer, see `Classification.request_id`.
        index: of the image in its request; 0 for `classify`.
        class_index: its right class.
    """

    request_id: str
    index: int
    class_index: int


def feedback_flow(policy: Policy, labels: Iterable[Label]) -> Flow[list[bool | SenetClientError]]:
    """Sends labels.

    Args:
        policy: how calls are made. Labels are sent once: of those whose answer was lost, a second
            attempt would say that they are there already.
        labels: any number.

    Returns:
        For each label, in order, whether the answer was right, or why the label is not accepted.
    """
    once = replace(policy, retries=Retries(attempts=1))
    every = [_checked(label) for label in labels]
    results: list[bool | SenetClientError] = []
    for start in range(0, len(every), LABELS_PER_REQUEST):
        some = every[start : start + LABELS_PER_REQUEST]
        try:
            results += yield from once.call(_request(some), lambda response, _: _results(response))
        except ServiceError as error:
            # Of a single label its failure is the response. Where others were accepted before it,
            # an answer that is not there is its own failure too.
            own = error.code in _OF_A_LABEL or (start and error.code == "feedback_not_found")
            if len(some) > 1 or not own:
                raise
            results.append(error)
    return results


_OF_A_LABEL = frozenset({"feedback_conflict", "invalid_parameter"})


def _checked(label: Label) -> Label:
    for value in (label.index, label.class_index):
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise InvalidArgument(f"{value!r} is not an index, which counts from 0")
    if not isinstance(label.request_id, str) or not label.request_id:
        raise InvalidArgument(f"{label.request_id!r} is not a request ID")
    return label


def _request(labels: Sequence[Label]) -> WireRequest:
    content = [
        {"request_id": own.request_id, "index": own.index, "class_index": own.class_index}
        for own in labels
    ]
    return WireRequest("POST", "feedback", (), json.dumps(content).encode(), "application/json")


def _results(response: httpx.Response) -> list[bool | SenetClientError]:
    try:
        items = response.json()["results"]
        return [bool(own["right"]) if "right" in own else parse_item_error(own) for own in items]
    except (ValueError, TypeError, KeyError) as error:
        raise UnexpectedAnswer(f"{response.url} did not answer with feedback") from error
