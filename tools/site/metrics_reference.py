"""The page of metrics, from the series that the service registers."""

from collections.abc import Iterator

from prometheus_client import Metric
from prometheus_client.metrics import MetricWrapperBase

from app.telemetry import control_group, gpu
from app.telemetry.metrics import Metrics
from tools.site.tables import table


def metrics_page() -> str:
    """Every series of the service, with its type and labels."""
    rows = [
        (f"`{family.name}{'_total' if family.type == 'counter' else ''}`", family.type,
         ", ".join(f"`{label}`" for label in labels), family.documentation)
        for family, labels in _rows()
    ]  # fmt: skip
    return (
        "# Metrics\n\n`GET /metrics` answers in Prometheus's text format, or as OpenMetrics where"
        " `Accept` asks for it. Durations are in seconds. The usual `process_*` and `python_info`"
        " series are there as well. `senet_cgroup_*` are there where the system has control groups,"
        " `senet_gpu_*` where a GPU serves. [Operations](../operations.md) says which to watch.\n\n"
        + table(("series", "type", "labels", "meaning"), rows)
    )


def _rows() -> Iterator[tuple[Metric, tuple[str, ...]]]:
    for series in vars(Metrics()).values():
        if isinstance(series, MetricWrapperBase):
            yield from ((family, tuple(series._labelnames)) for family in series.describe())
    for family in (*control_group.FAMILIES, *gpu.FAMILIES):
        yield family.empty(), family.labels
