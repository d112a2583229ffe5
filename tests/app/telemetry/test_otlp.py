"""Spans over the wire: the real exporter, and a collector that speaks OTLP over HTTP."""

import signal
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.metrics.v1.metrics_pb2 import ResourceMetrics
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, Span

from tests.support.colours import COLOURS
from tests.support.http import post_image
from tests.support.images import encode, photo
from tests.support.process import ServiceProcess

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"


class Collector:
    """Takes spans and metrics as an OpenTelemetry collector does.

    Attributes:
        received: the spans that came, one after the other.
        metrics: the metrics that came, one after the other.
        url: where it listens.
    """

    def __init__(self) -> None:
        received: list[ResourceSpans] = []
        metrics: list[ResourceMetrics] = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                answer = b""
                is_otlp = self.headers["content-type"] == "application/x-protobuf"
                if is_otlp and self.path == "/v1/traces":
                    received.extend(ExportTraceServiceRequest.FromString(body).resource_spans)
                    answer = ExportTraceServiceResponse().SerializeToString()
                elif is_otlp and self.path == "/v1/metrics":
                    metrics.extend(ExportMetricsServiceRequest.FromString(body).resource_metrics)
                    answer = ExportMetricsServiceResponse().SerializeToString()
                else:
                    is_otlp = False
                self.send_response(200 if is_otlp else 400)
                self.send_header("content-type", "application/x-protobuf")
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                """Writes no log."""

        self.received = received
        self.metrics = metrics
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def collector() -> Iterator[Collector]:
    collector = Collector()
    collector.start()
    yield collector
    collector.stop()


def test_a_request_s_spans_reach_a_collector(
    collector: Collector, repository: Path, tmp_path: Path
) -> None:
    process = ServiceProcess(
        tmp_path,
        *("--model-repository", repository, "--model", "colours", "--tracing", "true"),
        *("--otlp-metrics", "true"),
        environment={"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_SERVICE_NAME": "shop"},
    )
    try:
        process.wait_until_ready()
        with process.client() as client:
            sent = {"traceparent": f"00-{TRACE}-{PARENT}-01"}
            response = post_image(client, encode(photo(COLOURS[0])), headers=sent)
            assert response.status_code == 200
        process.send_signal(signal.SIGTERM)  # sends what has not been sent
        assert process.wait() == 0
    finally:
        process.kill()

    senders = [item.resource for item in collector.received]
    senders += [item.resource for item in collector.metrics]
    for sender in senders:
        names = {item.key: item.value.string_value for item in sender.attributes}
        assert names["service.name"] == "shop"
    found = [
        span
        for resource in collector.received
        for scope in resource.scope_spans
        for span in scope.spans
    ]
    spans = {span.name: span for span in found}
    assert len(found) == len(spans) == 5

    request, batch = spans["POST /classify"], spans["batch"]
    assert request.trace_id.hex() == TRACE
    assert request.parent_span_id.hex() == PARENT
    assert request.kind == Span.SPAN_KIND_SERVER
    for name in ("decode", "queue", "inference"):
        assert spans[name].trace_id == request.trace_id
        assert spans[name].parent_span_id == request.span_id
        assert spans[name].start_time_unix_nano <= spans[name].end_time_unix_nano
    # The batch is a trace of its own that points at the request.
    assert batch.parent_span_id == b""
    assert batch.trace_id != request.trace_id
    assert [(link.trace_id, link.span_id) for link in batch.links] == [
        (request.trace_id, request.span_id)
    ]
    assert {item.key: item.value.int_value for item in batch.attributes} == {"senet.batch_size": 1}

    families = {
        metric.name: metric
        for resource in collector.metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    }
    requests = families["senet_requests_total"].sum
    assert requests.is_monotonic
    routes = {
        item.value.string_value: point.as_double
        for point in requests.data_points
        for item in point.attributes
        if item.key == "route"
    }
    assert routes["/classify"] == 1
    [decoded] = families["senet_decode_seconds"].histogram.data_points
    assert decoded.count == sum(decoded.bucket_counts) == 1
    assert families["senet_ready"].gauge.data_points[0].as_double == 0  # the last state
