"""Health, metrics and what is loaded."""

from collections.abc import Awaitable, Callable

from fastapi import APIRouter, Depends
from fastapi.responses import RedirectResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from app.contract.errors import NotReady
from app.inference.service import Service, State
from app.telemetry.metrics import Metrics
from app.transport.http.classify import model_reference
from app.transport.http.openapi import problem_responses
from app.transport.http.schemas import InputSize, ModelBody, ModelsBody, StatusBody


def operations_router(
    service: Service, metrics: Metrics, authorise: Callable[..., Awaitable[str]] | None
) -> APIRouter:
    """The operators' routes.

    Args:
        service: whose state they tell.
        metrics: the series to expose.
        authorise: dependency that refuses callers; None leaves the routes open.
    """
    router = APIRouter(dependencies=[Depends(authorise)] if authorise else [])
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
        service.classifier()
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

    @router.get("/metrics", summary="Prometheus metrics", response_class=Response)
    async def prometheus() -> Response:
        return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)

    @router.get("/models", summary="The models that are loaded", responses=unavailable)
    async def models() -> ModelsBody:
        model = service.classifier().model
        size = model.manifest.input
        return ModelsBody(
            models=[
                ModelBody(
                    **model_reference(model),
                    architecture=model.manifest.architecture,
                    provider=model.provider,
                    input=InputSize(height=size.height, width=size.width),
                    labels=len(model.manifest.labels),
                    untrained=model.manifest.untrained,
                    threads=model.layout.threads,
                    slots=model.layout.slots,
                    max_batch_size=model.max_batch_size,
                    chosen_by=model.chosen_by,
                )
            ]
        )

    return router


def root_router() -> APIRouter:
    """The way from `/` to the documentation."""
    router = APIRouter()

    @router.get("/", include_in_schema=False)
    async def root() -> Response:
        return RedirectResponse("docs")

    return router
