"""Starts OpenTelemetry's SDK, which is the extra `otel`; nothing else imports it."""

import os
import time
from typing import TYPE_CHECKING

from prometheus_client.registry import Collector

from app.contract.errors import ConfigurationError
from app.telemetry.series_sender import SeriesSender
from app.telemetry.tracing import Tracing

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics.export import MetricExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import SpanProcessor

_PROTOCOL = "http/protobuf"
_INTERVAL_VARIABLE = "OTEL_METRIC_EXPORT_INTERVAL"
_DEFAULT_INTERVAL_MS = 60_000


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
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise _not_installed("tracing", error) from error
    _check_protocol("tracing", "TRACES")
    provider = TracerProvider(resource=_resource())
    provider.add_span_processor(processor or BatchSpanProcessor(OTLPSpanExporter()))
    return Tracing(provider, provider.shutdown)


def start_sending_metrics(
    registry: Collector, exporter: "MetricExporter | None" = None
) -> SeriesSender:
    """Sends the series over OTLP as the `OTEL_*` variables say, from a thread of its own.

    Args:
        registry: holds the series.
        exporter: takes them; by default OTLP's over HTTP.

    Raises:
        ConfigurationError: as for `start_tracing`, or if the interval cannot be used.
    """
    try:
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter

        from app.telemetry.otlp_series import otlp_series
    except ImportError as error:
        raise _not_installed("otlp_metrics", error) from error
    _check_protocol("otlp_metrics", "METRICS")
    interval_ms = os.environ.get(_INTERVAL_VARIABLE, str(_DEFAULT_INTERVAL_MS))
    if not (interval_ms.isascii() and interval_ms.isdigit() and int(interval_ms) > 0):
        raise ConfigurationError(
            "otlp_metrics",
            f"{_INTERVAL_VARIABLE}={interval_ms} is not a whole number of milliseconds",
            "correct it, or unset it for the default of one minute",
        )
    exporter, resource, started = exporter or OTLPMetricExporter(), _resource(), time.time_ns()
    sender = SeriesSender(
        lambda: exporter.export(otlp_series(registry, resource, started, time.time_ns())),
        exporter.shutdown,
        int(interval_ms) / 1000,
    )
    sender.start()
    return sender


def _not_installed(option: str, error: ImportError) -> ConfigurationError:
    flag = option.replace("_", "-")
    return ConfigurationError(
        option,
        f"OpenTelemetry is not installed ({error})",
        f"install the extra otel, or leave --{flag} (SENET_{option.upper()}) off",
    )


def _check_protocol(option: str, signal: str) -> None:
    variables = (f"OTEL_EXPORTER_OTLP_{signal}_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
    protocol = next((os.environ[name] for name in variables if name in os.environ), None)
    if protocol not in (None, _PROTOCOL):
        raise ConfigurationError(
            option,
            f"OTLP over {protocol} is not supported",
            f"set OTEL_EXPORTER_OTLP_PROTOCOL to {_PROTOCOL}, or leave it out",
        )


def _resource() -> "Resource":
    from opentelemetry.sdk.resources import OTELResourceDetector, Resource

    # The variables win over the default name.
    return Resource({"service.name": "senet-serving"}).merge(OTELResourceDetector().detect())
