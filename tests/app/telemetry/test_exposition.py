"""A scrape gets the format that it asks for."""

import gzip

import pytest
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.parser import text_string_to_metric_families as read_text

from app.telemetry.exposition import expose, quality
from tests.support.metrics import read_openmetrics

OPENMETRICS = "application/openmetrics-text"
# As Prometheus 3 sends it.
PROMETHEUS = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,"
    "application/openmetrics-text;version=0.0.1;q=0.4,"
    "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1"
)


@pytest.fixture
def registry() -> CollectorRegistry:
    registry = CollectorRegistry()
    Counter("photos_total", "Photos.", ("kind",), registry=registry).labels("cat").inc(3)
    histogram = Histogram("wait_seconds", "Wait.", buckets=(1, 2), registry=registry)
    histogram.observe(1.5, {"trace_id": "abc"})
    return registry


@pytest.mark.parametrize(
    ("accept", "is_open"),
    [
        (OPENMETRICS, True),
        (PROMETHEUS, True),
        (f"text/plain;q=0.3, {OPENMETRICS.upper()}; version=1.0.0 ; Q=0.5", True),
        ("", False),
        ("*/*", False),
        ("text/html,application/xhtml+xml,*/*;q=0.8", False),
        (f"{OPENMETRICS};q=0", False),
        (f"{OPENMETRICS};q=0.1,text/plain", False),
        (f"{OPENMETRICS};version=x.y;escaping=\x00", True),
        (f"{OPENMETRICS};q=nonsense", True),
        (",;,=;;q=", False),
    ],
)
def test_the_format_is_the_one_preferred(
    registry: CollectorRegistry, accept: str, is_open: bool
) -> None:
    shown = expose(registry, accept=accept, accept_encoding="")
    assert shown.headers["content-type"].startswith(OPENMETRICS if is_open else "text/plain")
    text = shown.body.decode()
    families = list(read_openmetrics(text) if is_open else read_text(text))
    assert {family.name for family in families} == {"photos", "wait_seconds"}
    samples = {sample.name: sample for family in families for sample in family.samples}
    assert samples["photos_total"].value == 3
    assert not [name for name in samples if name.endswith("_created")]
    traces = [
        sample.exemplar.labels
        for family in families
        for sample in family.samples
        if sample.exemplar
    ]
    assert traces == ([{"trace_id": "abc"}] if is_open else [])


@pytest.mark.parametrize(
    ("accept_encoding", "is_compressed"),
    [("gzip", True), ("br, GZIP;q=0.5", True), ("", False), ("gzip;q=0", False), ("*", False)],
)
def test_it_is_compressed_where_that_is_welcome(
    registry: CollectorRegistry, accept_encoding: str, is_compressed: bool
) -> None:
    plain = expose(registry, accept="", accept_encoding="")
    shown = expose(registry, accept="", accept_encoding=accept_encoding)
    assert shown.headers.get("content-encoding") == ("gzip" if is_compressed else None)
    assert (gzip.decompress(shown.body) if is_compressed else shown.body) == plain.body
    assert "accept-encoding" in shown.headers["vary"]


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("gzip", 1), ("gzip;q=0.25", 0.25), ("gzip; q=1.000", 1), ("gzip;q=0.000", 0),
        ("gzip;q=1.5", 1), ("deflate", 0), ("gzipped", 0),
    ],
)  # fmt: skip
def test_quality_is_read_as_the_standard_writes_it(header: str, expected: float) -> None:
    assert quality(header, "gzip") == expected
