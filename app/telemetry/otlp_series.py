"""The Prometheus series as OpenTelemetry's data model has them; needs the extra `otel`.

The names are kept, so that a dashboard holds wherever it reads them from. Counters and histograms
are cumulative since the service's start, as Prometheus' are (OpenTelemetry's specification,
"Prometheus and OpenMetrics Compatibility").
"""

import math
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import cast

from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from prometheus_client import Metric as Family
from prometheus_client.registry import Collector

_CUMULATIVE = AggregationTemporality.CUMULATIVE


def otlp_series(registry: Collector, resource: Resource, started: int, now: int) -> MetricsData:
    """All series, as an exporter takes them.

    Args:
        registry: holds them.
        resource: whose they are.
        started: since when they count, in nanoseconds of the wall clock.
        now: the time now, likewise.
    """
    metrics = [
        Metric(_name(family), family.documentation, _unit(family.name), data)
        for family in registry.collect()
        if (data := _data(family, started, now)) is not None
    ]
    scope = ScopeMetrics(InstrumentationScope("senet"), metrics, "")
    return MetricsData([ResourceMetrics(resource, [scope], "")])


def _data(family: Family, started: int, now: int) -> Gauge | Histogram | Sum | None:
    if family.type == "histogram":
        points = _histograms(family, started, now)
        return Histogram(points, _CUMULATIVE) if points else None
    suffix = "_total" if family.type == "counter" else ""
    values = [
        NumberDataPoint(sample.labels, started, now, sample.value)
        for sample in family.samples
        if sample.name == family.name + suffix and math.isfinite(sample.value)
    ]
    if not values:
        return None
    return Sum(values, _CUMULATIVE, is_monotonic=True) if suffix else Gauge(values)


def _histograms(family: Family, started: int, now: int) -> list[HistogramDataPoint]:
    buckets: dict[frozenset[tuple[str, str]], list[tuple[float, float]]] = {}
    sums: dict[frozenset[tuple[str, str]], float] = {}
    for sample in family.samples:
        if sample.name.endswith("_bucket"):
            labels, bound = _without_bound(sample.labels)
            buckets.setdefault(labels, []).append((bound, sample.value))
        elif sample.name.endswith("_sum"):
            sums[frozenset(sample.labels.items())] = sample.value
    return [
        HistogramDataPoint(
            dict(labels),
            started,
            now,
            count=round(found[-1][1]),
            sum=sums.get(labels, 0.0),
            bucket_counts=_apart(value for _, value in found),
            explicit_bounds=[bound for bound, _ in found[:-1]],
            # Prometheus keeps neither, and the protocol leaves out what is None.
            min=cast("float", None),
            max=cast("float", None),
        )
        for labels, found in buckets.items()
    ]


def _without_bound(labels: Mapping[str, str]) -> tuple[frozenset[tuple[str, str]], float]:
    rest = {name: value for name, value in labels.items() if name != "le"}
    return frozenset(rest.items()), float(labels["le"])


def _apart(counts: Iterable[float]) -> list[int]:
    """How many are in each bucket alone; Prometheus counts those below as well."""
    return [round(after - before) for before, after in pairwise((0.0, *counts))]


def _name(family: Family) -> str:
    return f"{family.name}_total" if family.type == "counter" else family.name


def _unit(name: str) -> str:
    """The unit in UCUM's notation, which names end with."""
    return {"seconds": "s", "bytes": "By"}.get(name.rpartition("_")[2], "1")
