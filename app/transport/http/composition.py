"""The composition root: the only place that sees every part."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial

from fastapi import FastAPI
from fastapi_offline import FastAPIOffline
from starlette.middleware.cors import CORSMiddleware

from app.engines.cuda_uuid import cuda_uuids
from app.engines.engine import Engines
from app.engines.onnx_engine import OnnxEngines
from app.hardware import memory_limit_bytes
from app.inference.feedback import Feedback
from app.inference.service import Service
from app.platforms import vertex_routes
from app.settings import Settings
from app.telemetry.gpu import GpuCollector, load_nvml
from app.telemetry.metrics import Metrics
from app.telemetry.otlp import start_sending_metrics, start_tracing
from app.telemetry.tracing import Tracing
from app.transport.http.adapters.inference import Inference
from app.transport.http.adapters.mounting import AdapterRoutes, Mounted
from app.transport.http.adapters.parts import Parts
from app.transport.http.adapters.served import adapters_of
from app.transport.http.arrivals import Arrivals
from app.transport.http.auth import KeyFile, admin_identifier, authoriser, identifier
from app.transport.http.classify import ClassifyEndpoint, classify_router
from app.transport.http.classify_route import ClassifyRoute
from app.transport.http.demo.routes import demo_router
from app.transport.http.direct_classify import DirectClassify
from app.transport.http.explain import ExplainEndpoint, explain_router
from app.transport.http.feedback_route import feedback_router
from app.transport.http.middleware import HeadAsGet, RequestContext, SecurityHeaders
from app.transport.http.model_routes import changes_router, models_router
from app.transport.http.operations import (
    operations_router,
    probes_router,
    root_router,
    schema_router,
)
from app.transport.http.problems import install_error_handlers
from app.transport.http.recording import open_recorder
from app.transport.http.refusal_log import RefusalLog
from app.transport.http.request_log import RequestLog
from app.transport.open_inference.repository import Repository
from app.version import VERSION


def create_app(
    settings: Settings,
    *,
    engines: Engines | None = None,
    tracing: Tracing | None = None,
    on_ready: Callable[[], None] = lambda: None,
    on_failure: Callable[[BaseException], None] = lambda error: None,
) -> FastAPI:
    """Puts the service together. Nothing runs before the application's lifespan begins.

    Args:
        settings: the options.
        engines: loads inference engines; ONNX Runtime's by default.
        tracing: records the stages of requests; by default as the settings say.
        on_ready: called once when the model is loaded and served.
        on_failure: called once if the model cannot be loaded or serving breaks down.

    Returns:
        The application; its `state.service` is the `Service`, its `state.take_directly` what
        the HTTP protocol asks first, see `DirectClassify`, its `state.refusal_log` is told what
        the protocol itself refuses, and its `state.adapter_parts` are for other transports.

    Raises:
        ConfigurationError: if the API keys file is not valid, or tracing or
            the sending of metrics cannot start.
    """
    keys = KeyFile(settings.api_keys_file) if settings.api_keys_file else None
    metrics = Metrics()
    metrics.memory_limit.set(memory_limit_bytes() or 0)
    engines = engines or OnnxEngines(settings.provider, max_batch_size=settings.max_batch_size)
    tracing = tracing or (start_tracing() if settings.tracing else Tracing())
    gpu = GpuCollector(load_nvml, cuda_uuids)
    metrics.registry.register(gpu)
    sender = start_sending_metrics(metrics.registry) if settings.otlp_metrics else None

    def ready() -> None:
        if any(host.model.provider != "cpu" for host in service.models.table.hosts):
            gpu.start()
        on_ready()

    service = Service(settings, engines, metrics, tracing, on_ready=ready, on_failure=on_failure)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        service.start()
        yield
        await service.stop()
        if recorder is not None:
            await asyncio.to_thread(recorder.close)
        if sender is not None:
            await asyncio.to_thread(sender.stop)
        await asyncio.to_thread(gpu.stop)
        await asyncio.to_thread(tracing.close)

    # The pages of the documentation cannot ask for a key, so closed they are not there.
    make = FastAPIOffline if settings.open_operations else partial(FastAPI, openapi_url=None)
    app: FastAPI = make(
        redoc_url=None,
        title="SENet service",
        summary="Image classification with squeeze-and-excitation networks.",
        version=VERSION,
        lifespan=lifespan,
        telemetry=tracing.fastapi,
    )
    app.state.service = service
    log = RequestLog(metrics, share=settings.access_log_share, addresses=settings.log_addresses)
    arrivals = Arrivals(
        service,
        identifier(keys, "classify"),
        log,
        max_body_bytes=settings.max_body_bytes,
        max_answer_bytes=settings.max_answer_bytes,
    )
    recorder = open_recorder(settings, metrics)
    feedback = Feedback(settings.feedback_seconds, metrics) if settings.feedback_seconds else None
    classify = ClassifyEndpoint(
        arrivals,
        max_images=settings.max_images_per_request,
        max_body_bytes=settings.max_body_bytes,
        max_answer_bytes=settings.max_answer_bytes,
        body_pace=settings.body_pace,
        recorder=recorder,
        feedback=feedback,
        request_timeout_ms=settings.request_timeout_ms,
    )
    inference = Inference(
        max_images=settings.max_images_per_request,
        max_body_bytes=settings.max_body_bytes,
        max_answer_bytes=settings.max_answer_bytes,
        body_pace=settings.body_pace,
        request_timeout_ms=settings.request_timeout_ms,
    )
    parts = app.state.adapter_parts = Parts(
        service=service,
        repository=Repository(service),
        arrivals=arrivals,
        inference=inference,
        log=log,
        callers=identifier(keys, "classify"),
        operators=None if settings.open_operations else identifier(keys, scope=None),
        admins=admin_identifier(keys),
    )
    adapters = Mounted(
        adapters_of(settings.served_adapters, parts, vertex_routes(os.environ)),
        arrivals,
        parts.operators,
    )
    app.include_router(classify_router(classify))
    explain = ExplainEndpoint(
        service,
        identifier(keys, "classify"),
        settings.max_body_bytes,
        settings.body_pace,
        settings.request_timeout_ms,
    )
    app.include_router(explain_router(explain))
    app.include_router(probes_router(service))
    if settings.open_operations:
        operators = None
    else:
        operators = authoriser(identifier(keys, scope=None))
        app.include_router(schema_router(app, operators))
    app.include_router(operations_router(metrics, operators))
    app.include_router(models_router(service, operators))
    app.include_router(changes_router(service, authoriser(parts.admins), settings.body_pace))
    labellers = authoriser(identifier(keys, "feedback"))
    app.include_router(feedback_router(feedback, labellers, settings.body_pace))
    app.include_router(adapters.router())
    if settings.demo:
        app.include_router(
            demo_router(
                docs=settings.open_operations,
                feedback=feedback is not None,
                open_inference_protocol="v2" in settings.served_adapters,
            )
        )
    elif settings.open_operations:
        app.include_router(root_router())
    install_error_handlers(app)
    app.state.refusal_log = RefusalLog(metrics, log, addresses=settings.log_addresses)
    # The last one added is the outermost.
    app.add_middleware(HeadAsGet)
    app.add_middleware(RequestContext, log=log, tracing=tracing)
    app.add_middleware(SecurityHeaders)
    app.state.take_directly = lambda scope: None
    if not tracing.is_on:  # a trace names the route that FastAPI has found
        app.state.take_directly = DirectClassify(arrivals, classify, log)
        app.add_middleware(AdapterRoutes, mounted=adapters, arrivals=arrivals, log=log)
        app.add_middleware(ClassifyRoute, arrivals=arrivals, endpoint=classify, log=log)
    # Outside of all that answers, so that a page may read its errors, too.
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=["GET", "POST"],
            allow_headers=["*"],
            expose_headers=["X-Request-ID", "Server-Timing", "Retry-After", "traceresponse"],
        )
    return app
