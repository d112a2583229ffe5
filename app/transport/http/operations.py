"""Health and metrics."""

from collections.abc import Awaitable, Callable

from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response

from app.contract.errors import NotReady
from app.inference.service import Service, State
from app.telemetry.exposition import expose
from app.telemetry.metrics import Metrics
from app.transport.http.openapi import problem_responses
from app.transport.http.schemas import StatusBody

_Authorise = Callable[..., Awaitable[str]]


def probes_router(service: Service) -> APIRouter:
    """Health, for orchestrators and load balancers, which have no key.

    Args:
        service: whose state they tell.
    """
    router = APIRouter()
    unavailable = problem_responses(503)

    @router.get("/livez", summary="Alive: restart the process if this fails", responses=unavailable)
    async def livez() -> StatusBody:
        if service.state is State.FAILED:
            raise NotReady("the service has failed and is about to be replaced")
        return StatusBody(status="alive")

    @router.get(
        "/readyz", summary="Ready: send traffic only while this succeeds", responses=unavailable
    )
    async def readyz() -> StatusBody:
        service.check_serving()
        return StatusBody(status="ready")

    @router.get(
        "/startupz",
        summary="Started: the model is loaded, warmed and self-tested",
        responses=unavailable,
    )
    async def startupz() -> StatusBody:
        if service.state in (State.STARTING, State.FAILED):
            raise NotReady("the model is not loaded")
        return StatusBody(status="started")

    return router


def operations_router(metrics: Metrics, authorise: _Authorise | None) -> APIRouter:
    """What the service measures.

    Args:
        metrics: the series to expose.
        authorise: dependency that refuses callers; None leaves the routes open.
    """
    router = APIRouter(dependencies=[Depends(authorise)] if authorise else [])

    @router.get("/metrics", summary="Prometheus metrics", response_class=Response)
    async def prometheus(request: Request) -> Response:
        exposition = expose(
            metrics.registry,
            accept=",".join(request.headers.getlist("accept")),
            accept_encoding=",".join(request.headers.getlist("accept-encoding")),
        )
        return Response(exposition.body, headers=exposition.headers)

    return router


def schema_router(app: FastAPI, authorise: _Authorise) -> APIRouter:
    """The OpenAPI document for who has a key, where the pages around it are closed.

    Args:
        app: what it describes.
        authorise: dependency that refuses callers.
    """
    router = APIRouter(dependencies=[Depends(authorise)])

    @router.get("/openapi.json", include_in_schema=False)
    async def schema() -> JSONResponse:
        return JSONResponse(app.openapi())

    return router


def root_router() -> APIRouter:
    """The way from `/` to the documentation."""
    router = APIRouter()

    @router.get("/", include_in_schema=False)
    async def root() -> Response:
        return RedirectResponse("docs")

    return router
