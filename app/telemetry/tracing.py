"""The spans of requests and batches, through OpenTelemetry's API.

Without the SDK, which `app.telemetry.otlp` starts, the API's own tracer records nothing. The
request's own span, and the reading of `traceparent`, are FastAPI's.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from fastapi.telemetry import TelemetryConfig
from opentelemetry.trace import (
    INVALID_SPAN,
    INVALID_SPAN_CONTEXT,
    Link,
    NonRecordingSpan,
    NoOpTracerProvider,
    SpanContext,
    StatusCode,
    TracerProvider,
    get_current_span,
    set_span_in_context,
)


@dataclass(frozen=True, slots=True)
class TracedImage:
    """One image of a batch.

    Attributes:
        parent: what `Tracing.parent` gave when the image was queued.
        submitted: when that was, on the monotonic clock in seconds.
    """

    parent: object
    submitted: float


class Tracing:
    """Records the stages of requests. Times are of the monotonic clock, in seconds.

    Args:
        provider: makes the spans, and sends them; None records nothing.
        close: sends what has not been sent. Blocks.

    Attributes:
        is_on: whether anything is recorded.
        fastapi: what FastAPI takes as `telemetry`.
    """

    def __init__(
        self, provider: TracerProvider | None = None, close: Callable[[], None] = lambda: None
    ) -> None:
        self.is_on = provider is not None
        self.close = close
        provider = provider or NoOpTracerProvider()
        self._tracer = provider.get_tracer("senet")
        self.fastapi = TelemetryConfig(
            tracer_provider=provider,
            tracing=self.is_on,
            metrics=False,
            logs=False,
            operation_spans=False,
            # Probes and scrapes come every few seconds and tell nothing.
            exclude=lambda scope: scope["type"] == "http" and scope["method"] == "GET",
        )

    def traceparent(self) -> str | None:
        """The current request's span as W3C Trace Context writes it; None if there is none."""
        span = get_current_span().get_span_context()
        if not span.is_valid:
            return None
        return f"00-{span.trace_id:032x}-{span.span_id:016x}-{int(span.trace_flags):02x}"

    def parent(self) -> object:
        """The current request's span, to be handed back later, from whichever thread."""
        if not self.is_on:  # looking it up costs more than what follows
            return INVALID_SPAN_CONTEXT
        return get_current_span().get_span_context()

    def stage(self, name: str, parent: object, started: float, ended: float) -> None:
        """Records a stage of a request that is over, if the request is sampled."""
        self._record(name, parent, (started, ended), {})

    def batch(
        self, images: Sequence[TracedImage], started: float, ended: float, *, failed: bool
    ) -> None:
        """Records a batch: one span that links its requests, and in each its queue and inference.

        Args:
            images: what the batch held; nothing is recorded if none of their requests is sampled.
            started: when the engine got it.
            ended: when the engine came back.
            failed: whether it came back with an error.
        """
        parents = [cast("SpanContext", image.parent) for image in images]
        if not any(parent.trace_flags.sampled for parent in parents):
            return
        size = {"senet.batch_size": len(images)}
        # A trace of its own: a batch belongs to none of its requests more than to the others.
        batch = self._tracer.start_span(
            "batch",
            context=set_span_in_context(INVALID_SPAN),
            attributes=size,
            links=[Link(parent) for parent in parents],
            start_time=_wall_clock(started),
        )
        if failed:
            batch.set_status(StatusCode.ERROR)
        batch.end(_wall_clock(ended))
        for image in images:
            self._record("queue", image.parent, (image.submitted, started), {})
            self._record("inference", image.parent, (started, ended), size, failed=failed)

    def _record(
        self,
        name: str,
        parent: object,
        times: tuple[float, float],
        attributes: Mapping[str, int],
        *,
        failed: bool = False,
    ) -> None:
        request = cast("SpanContext", parent)
        if not request.trace_flags.sampled:
            return
        started, ended = times
        span = self._tracer.start_span(
            name,
            context=set_span_in_context(NonRecordingSpan(request)),
            attributes=attributes,
            start_time=_wall_clock(started),
        )
        if failed:
            span.set_status(StatusCode.ERROR)
        span.end(_wall_clock(ended))


def _wall_clock(monotonic: float) -> int:
    """The wall clock's time in nanoseconds at a time of the monotonic clock.

    Durations stay those of the monotonic clock, whatever the wall clock does meanwhile.
    """
    return time.time_ns() - round((time.monotonic() - monotonic) * 1e9)
