"""Who a request is, and what is left of it when it is over: counts and a line in the log."""

import logging
import zlib
from collections.abc import Mapping
from functools import cache
from http import HTTPStatus

from starlette.types import Scope

from app.telemetry.log import request_id, trace_id
from app.telemetry.metrics import Metrics
from app.transport.http.auth import address
from app.transport.http.problem_body import identity as identity
from app.transport.http.problems import CLIENT_CLOSED_REQUEST

logger = logging.getLogger(__name__)


class RequestLog:
    """Counts and logs requests that are over.

    Args:
        metrics: gets requests and durations.
        share: share of successful requests that are logged.
        addresses: whether a caller without a key is logged by its address.
    """

    def __init__(self, metrics: Metrics, *, share: float, addresses: bool) -> None:
        self._metrics = metrics
        self._forgotten = metrics.forgotten
        # Finding a series by its labels costs more than counting. Routes and statuses are few.
        self._requests = cache(metrics.requests.labels)
        self._duration = cache(metrics.request_duration.labels)
        self._share = share
        self._addresses = addresses

    def first_fields(self, scope: Scope) -> dict[str, object]:
        """What a request's line says from the start: its caller, until a key gives it a name.

        Args:
            scope: with `client`.
        """
        return {"caller": address(scope)} if self._addresses else {}

    def count(self, route: str, status: int | None) -> None:
        """Counts a request that reached no model; its arguments are those of `note`."""
        self._requests(route, str(status or CLIENT_CLOSED_REQUEST), "", "", "").inc()

    def note(
        self, method: str, route: str, status: int | None, seconds: float,
        fields: Mapping[str, object],
    ) -> None:  # fmt: skip
        """Notes the current request.

        Args:
            method: of HTTP.
            route: the route's path, or "unmatched".
            status: of its answer; None if the client left before there was one.
            seconds: from its head to the end of its answer.
            fields: what else the line in the log says.
        """
        # Empty where the request reached no model.
        model, version, priority = (
            str(fields.get(name, "")) for name in ("model", "version", "priority")
        )
        if self._forgotten != self._metrics.forgotten:
            self._forgotten = self._metrics.forgotten
            self._requests.cache_clear()
            self._duration.cache_clear()
        if self._forgotten and (model, version) not in self._metrics.known:
            model = version = ""  # it was unloaded while its last answer was read
        self._requests(route, str(status or CLIENT_CLOSED_REQUEST), model, version, priority).inc()
        trace = trace_id.get()
        self._duration(route, model, version, priority).observe(
            seconds, {"trace_id": trace} if trace else None
        )
        succeeded = status is not None and status < HTTPStatus.BAD_REQUEST
        if succeeded and not _is_sampled(request_id.get() or "", self._share):
            return
        level = logging.INFO if method == "POST" else logging.DEBUG
        if not logger.isEnabledFor(level):
            return
        outcome = "ok" if succeeded else "client_left"
        basics = {"route": route, "status": status, "duration_ms": round(seconds * 1000, 3)}
        # What `logger.log` does, but that looks for the line of code that calls it.
        record = logging.LogRecord(logger.name, level, __file__, 0, "request", None, None)
        vars(record).update({"outcome": outcome, **fields, **basics})
        logger.handle(record)


def _is_sampled(identity: str, share: float) -> bool:
    """Chosen by the request's id, so that every service on its way chooses the same requests."""
    return zlib.crc32(identity.encode()) < share * 2**32
