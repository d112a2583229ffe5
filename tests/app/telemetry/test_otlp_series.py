"""Prometheus' series keep their meaning in OpenTelemetry's data model."""

from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.sdk.metrics.export import AggregationTemporality, MetricsData
from opentelemetry.sdk.resources import Resource
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from app.contract.errors import ConfigurationError
from app.telemetry.otlp import start_sending_metrics
from app.telemetry.otlp_series import otlp_series


def by_name(registry: CollectorRegistry) -> dict[str, Any]:
    data = otlp_series(registry, Resource({"service.name": "shop"}), 100, 200)
    encode_metrics(data)  # as the protocol has it
    return named(data)


def named(data: MetricsData) -> dict[str, Any]:
    [resource] = data.resource_metrics
    [scope] = resource.scope_metrics
    return {metric.name: metric for metric in scope.metrics}


def test_counters_and_gauges() -> None:
    registry = CollectorRegistry()
    Counter("shop_sold_total", "Sold.", ("what",), registry=registry).labels("tea").inc(3)
    Gauge("shop_memory_bytes", "Memory.", registry=registry).set(7)
    Gauge("shop_unknown", "No number yet.", registry=registry).set(float("nan"))
    Counter("shop_empty_total", "Nothing yet.", ("what",), registry=registry)
    found = by_name(registry)
    assert set(found) == {"shop_sold_total", "shop_memory_bytes"}

    sold = found["shop_sold_total"]
    assert (sold.description, sold.unit) == ("Sold.", "1")
    assert sold.data.is_monotonic
    assert sold.data.aggregation_temporality is AggregationTemporality.CUMULATIVE
    [point] = sold.data.data_points
    assert (point.attributes, point.value) == ({"what": "tea"}, 3)
    assert (point.start_time_unix_nano, point.time_unix_nano) == (100, 200)

    memory = found["shop_memory_bytes"]
    assert memory.unit == "By"
    assert memory.data.data_points[0].value == 7


def test_each_bucket_counts_for_itself() -> None:
    registry = CollectorRegistry()
    waits = Histogram("wait_seconds", "Wait.", ("who",), buckets=(1, 5), registry=registry)
    for seconds in (0.5, 0.7, 3, 10):
        waits.labels("a").observe(seconds)
    waits.labels("b").observe(2)
    wait = by_name(registry)["wait_seconds"]
    assert wait.unit == "s"
    points = {point.attributes["who"]: point for point in wait.data.data_points}
    assert points["a"].explicit_bounds == [1, 5]
    assert points["a"].bucket_counts == [2, 1, 1]
    assert (points["a"].count, points["a"].sum) == (4, 14.2)
    assert points["b"].bucket_counts == [0, 1, 0]


@pytest.mark.parametrize("interval", ["0", "-5", "1.5", "soon", ""])
def test_a_wrong_interval_is_named(monkeypatch: pytest.MonkeyPatch, interval: str) -> None:
    monkeypatch.setenv("OTEL_METRIC_EXPORT_INTERVAL", interval)
    with pytest.raises(ConfigurationError, match="OTEL_METRIC_EXPORT_INTERVAL") as caught:
        start_sending_metrics(CollectorRegistry())
    assert caught.value.option == "otlp_metrics"


def test_another_protocol_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "grpc")
    with pytest.raises(ConfigurationError, match="grpc"):
        start_sending_metrics(CollectorRegistry())
