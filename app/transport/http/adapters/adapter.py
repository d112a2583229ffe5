"""What an adapter is: routes, and the form in which it tells errors."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from fastapi import Request
from fastapi.responses import Response

from app.transport.http.arrivals import Arrival
from app.transport.http.problem_body import Problem


@dataclass(frozen=True, slots=True)
class InferRoute:
    """A route that classifies images.

    Attributes:
        path: as Starlette writes it; a parameter `model` or `version` in it names what answers.
        answer: makes the answer; raises `RequestError`.
        methods: of HTTP.
    """

    path: str
    answer: Callable[[Request, Arrival], Awaitable[Response]]
    methods: tuple[str, ...] = ("POST",)


@dataclass(frozen=True, slots=True)
class PlainRoute:
    """A route that answers without a model's work.

    Attributes:
        path: as Starlette writes it.
        answer: makes the answer; raises `RequestError`.
        methods: of HTTP.
        is_open: whether it answers without a key even where operations need one.
    """

    path: str
    answer: Callable[[Request], Awaitable[Response]]
    methods: tuple[str, ...] = ("GET",)
    is_open: bool = False


def with_error(problem: Problem) -> dict[str, Any]:
    """A problem with the member `error`, where most clients look for the reason."""
    return {**problem, "error": problem["detail"]}


@dataclass(frozen=True, slots=True)
class Adapter:
    """One foreign protocol.

    Attributes:
        infers: its routes that classify.
        others: its other routes; of two that match the first answers.
        error_body: the body of an error's response, made of the problem that `/classify` has.
    """

    infers: Sequence[InferRoute]
    others: Sequence[PlainRoute] = ()
    error_body: Callable[[Problem], dict[str, Any]] = field(default=with_error)
