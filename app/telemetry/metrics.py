"""Every Prometheus series of the service, in one place. Durations are in seconds."""

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
)

from app.telemetry.control_group import ControlGroupCollector

_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_MODEL = ("model", "version")


class Metrics:
    """The series, on a registry of their own, so that two services can live in one process.

    Label values come from the code and the manifest, never from a client.
    """

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        self.control_group = ControlGroupCollector()
        registry.register(self.control_group)
        self.requests = Counter(
            "senet_requests_total",
            "Finished HTTP requests.",
            ("route", "status", *_MODEL, "priority"),
            registry=registry,
        )
        self.request_duration = Histogram(
            "senet_request_duration_seconds",
            "From the request's headers to the end of its response.",
            ("route", *_MODEL, "priority"),
            buckets=_SECONDS,
            registry=registry,
        )
        self.images = Counter(
            "senet_images_total",
            "Images by outcome: ok, client_left, or the code of their error.",
            (*_MODEL, "outcome"),
            registry=registry,
        )
        self.decode = self._stage("senet_decode_seconds", "Decoding and resizing of one image.")
        self.queue = self._stage(
            "senet_queue_seconds", "Wait of one image for a thread and its batch.", "priority"
        )
        self.inference = self._stage("senet_inference_seconds", "One batch in the engine.")
        self.batch_size = Histogram(
            "senet_batch_size",
            "Images per batch.",
            _MODEL,
            buckets=(1, 2, 4, 8, 16, 32, 64, 128),
            registry=registry,
        )
        self.queue_depth = Gauge(
            "senet_queue_depth", "Images waiting for a batch.", _MODEL, registry=registry
        )
        self.in_flight = Gauge(
            "senet_images_in_flight", "Images admitted and not yet answered.", registry=registry
        )
        self.rejected = Counter(
            "senet_rejected_total",
            "Images or bodies refused because a limit was reached.",
            ("reason",),
            registry=registry,
        )
        self.refused_connections = Counter(
            "senet_refused_connections_total",
            "Connections ended before a request of theirs reached the application.",
            ("reason",),
            registry=registry,
        )
        self.model_info = Gauge(
            "senet_model_info",
            "The model that is loaded; always 1.",
            ("name", "version", "precision", "provider", "digest"),
            registry=registry,
        )
        self.memory_limit = Gauge(
            "senet_memory_limit_bytes",
            "Memory limit of the container; 0 if there is none.",
            registry=registry,
        )
        self.ready = Gauge("senet_ready", "1 while the service is ready.", registry=registry)
        self.top1_score = Histogram(
            "senet_top1_score",
            "Score of the best class.",
            _MODEL,
            buckets=[tenth / 10 for tenth in range(1, 10)],
            registry=registry,
        )
        self.estimated_accuracy = Gauge(
            "senet_estimated_accuracy",
            "Mean calibrated score of the last 1,024 images, not a number before there are 64.",
            _MODEL,
            registry=registry,
        )
        self.expected_accuracy = Gauge(
            "senet_expected_accuracy",
            "The same of the photos that the model's reference was made of.",
            _MODEL,
            registry=registry,
        )
        self.drift = Gauge(
            "senet_drift",
            "How far the last photos are from the reference; 1 is the most that chance explains.",
            (*_MODEL, "signal", "window"),
            registry=registry,
        )
        self.predictions = Counter(
            "senet_predictions_total", "Best classes.", (*_MODEL, "label"), registry=registry
        )

        self.model_state = Gauge(
            "senet_model_state",
            "Where a version stands: 1 for ready or draining.",
            (*_MODEL, "state"),
            registry=registry,
        )
        self.model_memory = Gauge(
            "senet_model_memory_bytes",
            "Memory that a version is reckoned to take of the host's: 1.5 times its file.",
            _MODEL,
            registry=registry,
        )
        self.shadow_images = Counter(
            "senet_shadow_images_total",
            "Images that a candidate classified too: agreed, differed or failed; or skipped.",
            (*_MODEL, "outcome"),
            registry=registry,
        )
        self.feedback = Counter(
            "senet_feedback_total",
            "Images whose class was told afterwards: right or wrong.",
            (*_MODEL, "outcome"),
            registry=registry,
        )
        self.feedback_score = Histogram(
            "senet_feedback_score",
            "Score of the best class of such images.",
            (*_MODEL, "outcome"),
            buckets=[tenth / 10 for tenth in range(1, 10)],
            registry=registry,
        )
        self.feedback_confusion = Counter(
            "senet_feedback_confusion_total",
            "Wrong answers by class; other where a version confuses more than 1,000 pairs.",
            (*_MODEL, "answered", "true"),
            registry=registry,
        )
        self.records = Counter(
            "senet_records_total",
            "Sampled images by what became of their records: written, dropped or failed.",
            ("outcome",),
            registry=registry,
        )
        self.known: set[tuple[str, str]] = set()
        """Models and versions that may have series."""
        self.forgotten = 0
        """How often series were removed: whoever keeps some has to find them anew."""

    def enter(self, model: str, version: str, state: str) -> None:
        """A version stands there from now on."""
        self.known.add((model, version))
        self.model_state.remove_by_labels({"model": model, "version": version})
        self.model_state.labels(model, version, state).set(1)

    def forget(self, model: str, version: str) -> None:
        """Removes all series of a version that is no longer in memory."""
        self.known.discard((model, version))
        self.forgotten += 1
        self.model_info.remove_by_labels({"name": model, "version": version})
        for series in (
            self.requests, self.request_duration, self.images, self.decode, self.queue,
            self.inference, self.batch_size, self.queue_depth, self.top1_score, self.predictions,
            self.estimated_accuracy, self.expected_accuracy, self.drift, self.model_state,
            self.model_memory, self.shadow_images, self.feedback, self.feedback_score,
            self.feedback_confusion,
        ):  # fmt: skip
            series.remove_by_labels({"model": model, "version": version})

    def _stage(self, name: str, text: str, *labels: str) -> Histogram:
        return Histogram(name, text, (*_MODEL, *labels), buckets=_SECONDS, registry=self.registry)
