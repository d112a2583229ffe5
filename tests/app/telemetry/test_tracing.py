"""Spans of requests and batches, collected in the process."""

import logging
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanContext, SpanKind, StatusCode, TraceFlags

from app.contract.errors import ConfigurationError
from app.settings import Settings
from app.telemetry.otlp import start_tracing
from app.telemetry.tracing import Tracing
from tests.support.colours import COLOURS
from tests.support.engines import FakeEngine, FakeEngines
from tests.support.http import post_image
from tests.support.images import encode, photo
from tests.support.metrics import read_openmetrics, value
from tests.support.process import ROOT
from tests.support.server import LiveServer, running
from tests.support.waiting import eventually

PICTURE = encode(photo(COLOURS[0]))
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"
HEADERS = {"traceparent": f"00-{TRACE}-{PARENT}-01"}
SAMPLED = SpanContext(
    int(TRACE, 16), int(PARENT, 16), is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED)
)


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def tracing(exporter: InMemorySpanExporter) -> Tracing:
    return start_tracing(SimpleSpanProcessor(exporter))


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def server(
    make_settings: Callable[..., Settings], engine: FakeEngine, tracing: Tracing
) -> Iterator[LiveServer]:
    with running(make_settings(), FakeEngines(engine), tracing=tracing) as live:
        yield live


def by_name(exporter: InMemorySpanExporter, count: int) -> dict[str, list[ReadableSpan]]:
    """The finished spans; there are so many once the last response is out."""
    eventually(lambda: len(exporter.get_finished_spans()) >= count)
    spans: dict[str, list[ReadableSpan]] = {}
    for span in exporter.get_finished_spans():
        spans.setdefault(span.name, []).append(span)
    return spans


def test_a_request_is_one_trace_from_the_callers_span_to_its_batch(
    server: LiveServer, exporter: InMemorySpanExporter, caplog: pytest.LogCaptureFixture
) -> None:
    with server.client() as client, caplog.at_level(logging.INFO, "app"):
        response = post_image(client, PICTURE, headers=HEADERS)
    assert response.status_code == 200
    spans = by_name(exporter, 5)
    [request], [batch] = spans["POST /classify"], spans["batch"]
    assert request.kind is SpanKind.SERVER
    assert request.context.trace_id == int(TRACE, 16)
    assert request.parent is not None
    assert request.parent.span_id == int(PARENT, 16)
    for name in ("decode", "queue", "inference"):
        [stage] = spans[name]
        assert stage.context.trace_id == int(TRACE, 16)
        assert stage.parent is not None
        assert stage.parent.span_id == request.context.span_id
        assert stage.start_time is not None
        assert stage.end_time is not None
        assert stage.start_time <= stage.end_time
    assert spans["inference"][0].attributes == {"senet.batch_size": 1}
    # The batch is a trace of its own that points at the request.
    assert batch.parent is None
    assert [link.context.span_id for link in batch.links] == [request.context.span_id]
    # Out again: to the caller and into the log.
    span = f"{request.context.span_id:016x}"
    assert response.headers["traceresponse"] == f"00-{TRACE}-{span}-01"


def test_a_batch_links_every_request_in_it(
    server: LiveServer, engine: FakeEngine, exporter: InMemorySpanExporter
) -> None:
    engine.gate.close()
    with server.client() as client, ThreadPoolExecutor(3) as threads:
        answers = [threads.submit(post_image, client, PICTURE)]
        engine.gate.wait_until_held()
        answers += [threads.submit(post_image, client, PICTURE) for _ in range(2)]
        of_model = {"model": "colours", "version": "1"}
        eventually(lambda: value(client, "senet_decode_seconds_count", **of_model) == 3)
        eventually(lambda: value(client, "senet_queue_depth", **of_model) == 2)
        engine.gate.open()
        assert [answer.result().status_code for answer in answers] == [200] * 3
    spans = by_name(exporter, 14)
    requests = {span.context.span_id for span in spans["POST /classify"]}
    linked = [{link.context.span_id for link in batch.links} for batch in spans["batch"]]
    assert [len(links) for links in linked] == [1, 2]
    assert set().union(*linked) == requests


def test_a_failed_batch_is_marked_in_every_trace(
    server: LiveServer, engine: FakeEngine, exporter: InMemorySpanExporter
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("out of memory")

    engine.respond = fail  # type: ignore[assignment]  # it never returns
    with server.client() as client:
        assert post_image(client, PICTURE).status_code == 500
    spans = by_name(exporter, 5)
    for name in ("batch", "inference"):
        assert spans[name][0].status.status_code is StatusCode.ERROR


def test_what_the_caller_does_not_sample_leaves_no_span(
    server: LiveServer, exporter: InMemorySpanExporter
) -> None:
    with server.client() as client:
        unsampled = {"traceparent": HEADERS["traceparent"][:-2] + "00"}
        assert post_image(client, PICTURE, headers=unsampled).status_code == 200
        # A second request, whose spans are complete, shows that nothing of the first came.
        assert post_image(client, PICTURE, headers=HEADERS).status_code == 200
    assert len(by_name(exporter, 5)["batch"]) == 1
    assert len(exporter.get_finished_spans()) == 5


def test_probes_and_scrapes_are_not_traced(
    server: LiveServer, exporter: InMemorySpanExporter
) -> None:
    with server.client() as client:
        for path in ("/livez", "/readyz", "/metrics"):
            assert "traceresponse" not in client.get(path, headers=HEADERS).headers
        post_image(client, PICTURE, headers=HEADERS)
    assert set(by_name(exporter, 5)) == {
        "POST /classify", "decode", "queue", "inference", "batch",
    }  # fmt: skip


def test_off_it_costs_no_import_and_no_header(make_settings: Callable[..., Settings]) -> None:
    script = (
        "import sys, app.transport.http.composition, app.transport.process;"
        "print([name for name in sys.modules if name.startswith(('opentelemetry.sdk',"
        " 'opentelemetry.exporter'))])"
    )
    found = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert found.stdout == "[]\n"
    with running(make_settings(), FakeEngines()) as live, live.client() as client:
        assert "traceresponse" not in post_image(client, PICTURE, headers=HEADERS).headers


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(ConfigurationError, match=r"tracing: .*install the extra otel"):
        start_tracing()


def test_another_protocol_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
    with pytest.raises(ConfigurationError, match="OTLP over grpc is not supported"):
        start_tracing()


def test_the_services_name_is_the_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    exporter = InMemorySpanExporter()
    monkeypatch.setenv("OTEL_SERVICE_NAME", "shop")
    tracing = start_tracing(SimpleSpanProcessor(exporter))
    tracing.stage("decode", SAMPLED, 0.0, 1.0)
    assert exporter.get_finished_spans()[0].resource.attributes["service.name"] == "shop"


def test_a_scrape_leads_from_a_duration_to_its_trace(server: LiveServer) -> None:
    with server.client() as client:
        post_image(client, PICTURE, headers=HEADERS)
        accept = {"accept": "application/openmetrics-text"}
        families = read_openmetrics(client.get("/metrics", headers=accept).text)
    traces = {
        sample.exemplar.labels["trace_id"]
        for family in families
        for sample in family.samples
        if sample.exemplar and sample.labels["route"] == "/classify"
    }
    assert traces == {TRACE}
