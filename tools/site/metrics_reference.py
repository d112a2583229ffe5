"""The page of metrics, from the series that the service registers."""

from prometheus_client.metrics import MetricWrapperBase

from app.telemetry.metrics import Metrics
from tools.site.tables import table


def metrics_page() -> str:
    """Every series of the service, with its type and labels."""
    series = [
        metric for metric in vars(Metrics()).values() if isinstance(metric, MetricWrapperBase)
    ]
    rows = [
        (f"`{family.name}{'_total' if family.type == 'counter' else ''}`", family.type,
         ", ".join(f"`{label}`" for label in metric._labelnames), family.documentation)
        for metric in series
        for family in metric.describe()
    ]  # fmt: skip
    return (
        "# Metrics\n\n`GET /metrics` answers in Prometheus's text format, or as OpenMetrics where"
        " `Accept` asks for it. Durations are in seconds. The usual `process_*` and `python_info`"
        " series are there as well. [Operations](../operations.md) says which to watch.\n\n"
        + table(("series", "type", "labels", "meaning"), rows)
    )
