"""Who a request is, and what is left of it when it is over: counts and a line in the log."""

import logging
import re
import secrets
import zlib
from collections.abc import Iterable
from functools import cache
from http import HTTPStatus

from starlette.types import Scope

from app.api.problems import CLIENT_CLOSED_REQUEST
from app.log import request_fields, request_id
from app.metrics import Metrics

logger = logging.getLogger(__name__)

_ACCEPTED_ID = re.compile(rb"[A-Za-z0-9._-]{1,128}")


def identity(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """The request's id: the one it brings, if that is harmless, or a new one."""
    for name, value in headers:
        if name == b"x-request-id" and _ACCEPTED_ID.fullmatch(value):
            return value.decode("ascii")
    return secrets.token_hex(16)


class RequestLog:
    """Counts and logs requests that are over.

    Args:
        metrics: gets requests and durations.
        share: share of successful requests that are logged.
    """

    def __init__(self, metrics: Metrics, *, share: float) -> None:
        # Finding a series by its labels costs more than counting. Routes and statuses are few.
        self._requests = cache(metrics.requests.labels)
        self._duration = cache(metrics.request_duration.labels)
        self._share = share

    def note(self, scope: Scope, status: int | None, seconds: float) -> None:
        """Notes the current request.

        Args:
            scope: the request.
            status: of its answer; None if the client left before there was one.
            seconds: from its head to the end of its answer.
        """
        route = getattr(scope.get("route"), "path", "unmatched")
        self._requests(route, str(status or CLIENT_CLOSED_REQUEST)).inc()
        self._duration(route).observe(seconds)
        succeeded = status is not None and status < HTTPStatus.BAD_REQUEST
        if succeeded and not _is_sampled(request_id.get() or "", self._share):
            return
        level = logging.INFO if scope["method"] == "POST" else logging.DEBUG
        if not logger.isEnabledFor(level):
            return
        outcome = "ok" if succeeded else "client_left"
        own = {"route": route, "status": status, "duration_ms": round(seconds * 1000, 3)}
        logger.log(
            level, "request", extra={"outcome": outcome} | (request_fields.get() or {}) | own
        )


def _is_sampled(identity: str, share: float) -> bool:
    """Chosen by the request's id, so that every service on its way chooses the same requests."""
    return zlib.crc32(identity.encode()) < share * 2**32
