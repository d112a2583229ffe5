"""The adapters' routes in the application: within its layers, and for inference outside of them."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from http import HTTPStatus

import orjson
from fastapi import APIRouter, Request
from fastapi.responses import Response
from starlette._utils import get_route_path
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import compile_path
from starlette.types import ASGIApp, Receive, Scope, Send

from app.contract.errors import RequestError
from app.telemetry.log import annotate, request_id
from app.transport.http.adapters.adapter import Adapter, InferRoute, PlainRoute
from app.transport.http.adapters.queries import read_query
from app.transport.http.arrivals import Arrivals
from app.transport.http.direct import answer_directly, through_asgi
from app.transport.http.problem_body import make_problem
from app.transport.http.problems import ANSWERS, CLIENT_CLOSED_REQUEST, error_headers
from app.transport.http.request_log import RequestLog

logger = logging.getLogger(__name__)


class Mounted:
    """The adapters that are switched on, with what their routes have in common.

    Args:
        adapters: in the order in which their routes are tried.
        arrivals: decides about requests.
        authorise: refuses callers of routes that are closed; None leaves them open.
    """

    def __init__(
        self,
        adapters: Sequence[Adapter],
        arrivals: Arrivals,
        authorise: Callable[[Scope], object] | None,
    ) -> None:
        self._adapters = adapters
        self._arrivals = arrivals
        self._authorise = authorise

    def router(self) -> APIRouter:
        """All routes, for FastAPI."""
        router = APIRouter(include_in_schema=False)
        for adapter in self._adapters:
            for infer in adapter.infers:
                _add(router, infer, partial(self.infer, adapter, infer))
            for plain in adapter.others:
                _add(router, plain, partial(self._plain, adapter, plain))
        return router

    def direct(self) -> list[tuple[Adapter, InferRoute]]:
        """The routes that classify."""
        return [(adapter, route) for adapter in self._adapters for route in adapter.infers]

    async def infer(self, adapter: Adapter, route: InferRoute, request: Request) -> Response:
        """Answers a request to a route that classifies."""
        read = partial(read_query, request.path_params)
        arrival = self._arrivals.of(request.scope, read)
        annotate(**arrival.fields)
        try:
            return await _guarded(adapter, route.answer(request, arrival))
        finally:
            arrival.close()

    async def _plain(self, adapter: Adapter, route: PlainRoute, request: Request) -> Response:
        async def answer() -> Response:
            if self._authorise is not None and not route.is_open:
                self._authorise(request.scope)
            return await route.answer(request)

        return await _guarded(adapter, answer())


class AdapterRoutes:
    """Answers the adapters' inference outside of the layers that lie around every other route.

    `ClassifyRoute` does the same for `/classify`, and tells why.

    Args:
        app: the application inside, for all other requests.
        mounted: the adapters.
        arrivals: decides about requests.
        log: notes them.
    """

    def __init__(self, app: ASGIApp, mounted: Mounted, arrivals: Arrivals, log: RequestLog) -> None:
        self._app = app
        self._mounted = mounted
        self._arrivals = arrivals
        self._log = log
        self._routes = [
            (compile_path(route.path)[0], adapter, route) for adapter, route in mounted.direct()
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one ASGI connection."""
        if scope["type"] != "http" or (found := self._find(scope)) is None:
            await self._app(scope, receive, send)
            return
        adapter, route, scope["path_params"] = found
        arrival = self._arrivals.of(scope, partial(read_query, scope["path_params"]))
        answer = self._mounted.infer(adapter, route, Request(scope, receive))
        await answer_directly(
            arrival, answer, through_asgi(send), self._log, method=scope["method"], route=route.path
        )

    def _find(self, scope: Scope) -> tuple[Adapter, InferRoute, dict[str, str]] | None:
        path, method = get_route_path(scope), scope["method"]
        for pattern, adapter, route in self._routes:
            if method in route.methods and (match := pattern.match(path)):
                return adapter, route, match.groupdict()
        return None


def _add(
    router: APIRouter,
    route: InferRoute | PlainRoute,
    answer: Callable[[Request], Awaitable[Response]],
) -> None:
    async def endpoint(request: Request) -> Response:
        return await answer(request)

    methods = list(route.methods)
    router.add_api_route(route.path, endpoint, methods=methods, response_model=None)


async def _guarded(adapter: Adapter, answer: Awaitable[Response]) -> Response:
    try:
        return await answer
    except RequestError as error:
        table = ANSWERS[type(error)]
        return _error(
            adapter, table.status, error.code, table.title, str(error), error_headers(error)
        )
    except HTTPException as error:
        phrase = HTTPStatus(error.status_code).phrase
        code = phrase.lower().replace(" ", "_")
        return _error(adapter, error.status_code, code, phrase, error.detail)
    except ClientDisconnect:
        return Response(status_code=CLIENT_CLOSED_REQUEST)
    except Exception:
        logger.exception("unexpected error")
        detail = "an unexpected error; it is in the log"
        return _error(adapter, 500, "internal_error", "Internal error", detail)


def _error(
    adapter: Adapter, status: int, code: str, title: str, detail: str,
    headers: dict[str, str] | None = None,
) -> Response:  # fmt: skip
    annotate(outcome=code)
    body = adapter.error_body(make_problem(status, code, title, detail, request_id.get()))
    return Response(orjson.dumps(body), status, headers, media_type="application/json")
