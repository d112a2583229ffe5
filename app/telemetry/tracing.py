"""Tracing: what the service tells of a request's stages, and OpenTelemetry behind it.

Only `start_tracing` imports OpenTelemetry's SDK, which is the extra `otel`. Everybody else sees
the protocol. The request's own span, and the reading of `traceparent`, are FastAPI's.
"""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, cast

from fastapi.telemetry import TelemetryConfig

from app.contract.errors import ConfigurationError

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
    from opentelemetry.trace import SpanContext

_PROTOCOL_VARIABLES = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_PROTOCOL = "http/protobuf"


@dataclass(frozen=True, slots=True)
class QueuedImage:
    """One image of a batch.

    Attributes:
        parent: what `Tracing.parent` gave when the image was queued.
        submitted: when that was, on the monotonic clock in seconds.
    """

    parent: object
    submitted: float


class Tracing(Protocol):
    """Records the stages of requests. Times are of the monotonic clock, in seconds."""

    @property
    def fastapi(self) -> TelemetryConfig:
        """What FastAPI takes as `telemetry`."""
        ...

    def traceparent(self) -> str | None:
        """The current request's span as W3C Trace Context writes it; None if there is none."""
        ...

    def parent(self) -> object:
        """The current request's span, to be handed back later, from whichever thread."""
        ...

    def stage(self, name: str, parent: object, started: float, ended: float) -> None:
        """Records a stage of a request that is over."""
        ...

    def batch(
        self, images: Sequence[QueuedImage], started: float, ended: float, *, failed: bool
    ) -> None:
        """Records a batch: one span that links its requests, and in each its queue and inference.

        Args:
            images: what the batch held.
            started: when the engine got it.
            ended: when the engine came back.
            failed: whether it came back with an error.
        """
        ...

    def close(self) -> None:
        """Sends what has not been sent. Blocks."""
        ...


class NoTracing:
    """Records nothing; see `Tracing`."""

    fastapi = TelemetryConfig(tracing=False, metrics=False, logs=False)

    def traceparent(self) -> str | None:
        """See `Tracing`."""
        return None

    def parent(self) -> object:
        """See `Tracing`."""
        return None

    def stage(self, name: str, parent: object, started: float, ended: float) -> None:
        """See `Tracing`."""

    def batch(
        self, images: Sequence[QueuedImage], started: float, ended: float, *, failed: bool
    ) -> None:
        """See `Tracing`."""

    def close(self) -> None:
        """See `Tracing`."""


class OpenTelemetryTracing:
    """Records spans with OpenTelemetry; see `Tracing`.

    Args:
        provider: makes the spans, and sends them.
    """

    def __init__(self, provider: "TracerProvider") -> None:
        from opentelemetry import trace

        self._trace = trace
        self._provider = provider
        self._tracer = provider.get_tracer("senet")
        self.fastapi = TelemetryConfig(
            tracer_provider=provider,
            tracing=True,
            metrics=False,
            logs=False,
            operation_spans=False,
            # Probes and scrapes come every few seconds and tell nothing.
            exclude=lambda scope: scope["type"] == "http" and scope["method"] == "GET",
        )

    def traceparent(self) -> str | None:
        """See `Tracing`."""
        span = self.parent()
        if not span.is_valid:
            return None
        return f"00-{span.trace_id:032x}-{span.span_id:016x}-{int(span.trace_flags):02x}"

    def parent(self) -> "SpanContext":
        """See `Tracing`."""
        return self._trace.get_current_span().get_span_context()

    def stage(self, name: str, parent: object, started: float, ended: float) -> None:
        """See `Tracing`."""
        self._record(name, cast("SpanContext", parent), (started, ended), {})

    def batch(
        self, images: Sequence[QueuedImage], started: float, ended: float, *, failed: bool
    ) -> None:
        """See `Tracing`."""
        parents = [cast("SpanContext", image.parent) for image in images]
        if not any(parent.trace_flags.sampled for parent in parents):
            return
        size = {"senet.batch_size": len(images)}
        # A trace of its own: a batch belongs to none of its requests more than to the others.
        batch = self._tracer.start_span(
            "batch",
            context=self._trace.set_span_in_context(self._trace.INVALID_SPAN),
            attributes=size,
            links=[self._trace.Link(parent) for parent in parents],
            start_time=_wall_clock(started),
        )
        if failed:
            batch.set_status(self._trace.StatusCode.ERROR)
        batch.end(_wall_clock(ended))
        for image, parent in zip(images, parents, strict=True):
            self._record("queue", parent, (image.submitted, started), {})
            self._record("inference", parent, (started, ended), size, failed=failed)

    def close(self) -> None:
        """See `Tracing`."""
        self._provider.shutdown()

    def _record(
        self,
        name: str,
        parent: "SpanContext",
        times: tuple[float, float],
        attributes: dict[str, int],
        *,
        failed: bool = False,
    ) -> None:
        context = self._trace.set_span_in_context(self._trace.NonRecordingSpan(parent))
        started, ended = times
        span = self._tracer.start_span(
            name, context=context, attributes=attributes, start_time=_wall_clock(started)
        )
        if failed:
            span.set_status(self._trace.StatusCode.ERROR)
        span.end(_wall_clock(ended))


def start_tracing(processor: "SpanProcessor | None" = None) -> OpenTelemetryTracing:
    """Starts OpenTelemetry as the `OTEL_*` variables say.

    Args:
        processor: takes the spans; by default they are sent in batches over OTLP.

    Raises:
        ConfigurationError: if the extra `otel` is not installed, or a protocol other than
            OTLP's over HTTP is asked for.
    """
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import OTELResourceDetector, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise ConfigurationError(
            "tracing",
            f"OpenTelemetry is not installed ({error})",
            "install the extra otel, or leave --tracing (SENET_TRACING) off",
        ) from error
    protocol = next((os.environ[name] for name in _PROTOCOL_VARIABLES if name in os.environ), None)
    if protocol not in (None, _PROTOCOL):
        raise ConfigurationError(
            "tracing",
            f"OTLP over {protocol} is not supported",
            f"set OTEL_EXPORTER_OTLP_PROTOCOL to {_PROTOCOL}, or leave it out",
        )
    # The variables win over the default name.
    name = Resource({"service.name": "senet-serving"})
    provider = TracerProvider(resource=name.merge(OTELResourceDetector().detect()))
    provider.add_span_processor(processor or BatchSpanProcessor(OTLPSpanExporter()))
    return OpenTelemetryTracing(provider)


def _wall_clock(monotonic: float) -> int:
    """The wall clock's time in nanoseconds at a time of the monotonic clock.

    Durations stay those of the monotonic clock, whatever the wall clock does meanwhile.
    """
    return time.time_ns() - round((time.monotonic() - monotonic) * 1e9)
