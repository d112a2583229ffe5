"""Reading Prometheus' text formats."""

import httpx
from prometheus_client import Metric
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families


def samples(client: httpx.Client) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Every sample of `/metrics`, by name and labels."""
    text = client.get("/metrics").text
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(client: httpx.Client, series: str, /, **labels: str) -> float:
    """The sum of the samples that have these labels, among others; 0 if there is none yet."""
    return sum(
        number
        for (name, own), number in samples(client).items()
        if name == series and labels.items() <= own
    )


def read_openmetrics(text: str) -> list[Metric]:
    """The families of a text in OpenMetrics' format, which is read strictly."""
    return list(openmetrics.text_string_to_metric_families(text))  # type: ignore[no-untyped-call]
