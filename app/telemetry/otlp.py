"""Starts OpenTelemetry's SDK, which is the extra `otel`; nothing else imports it."""

import os
from typing import TYPE_CHECKING

from app.contract.errors import ConfigurationError
from app.telemetry.tracing import Tracing

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import SpanProcessor

_PROTOCOL_VARIABLES = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_PROTOCOL = "http/protobuf"


def start_tracing(processor: "SpanProcessor | None" = None) -> Tracing:
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
    return Tracing(provider, provider.shutdown)
