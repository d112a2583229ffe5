"""Answers that go out without the layers around the application."""

import time
from collections.abc import Awaitable

from fastapi.responses import Response
from starlette.types import Send

from app.telemetry.log import request_fields, request_id
from app.transport.http.arrivals import Arrival
from app.transport.http.middleware import NO_SNIFFING
from app.transport.http.problems import CLIENT_CLOSED_REQUEST
from app.transport.http.request_log import RequestLog


async def answer_directly(
    arrival: Arrival,
    answer: Awaitable[Response],
    send: Send,
    log: RequestLog,
    *,
    method: str,
    route: str,
) -> None:
    """Sends an answer with the request's id, and counts and logs the request.

    Args:
        arrival: the request's.
        answer: gives the whole response, that to an error as well.
        send: takes it.
        log: notes the request.
        method: of the request.
        route: its path, as it is counted.
    """
    request_id.set(arrival.id)
    request_fields.set(arrival.fields)
    status: int | None = None
    try:
        response = await answer
        if response.status_code == CLIENT_CLOSED_REQUEST:
            return
        own = ((b"x-request-id", arrival.id.encode()), NO_SNIFFING)
        await send(
            {
                "type": "http.response.start",
                "status": response.status_code,
                "headers": [*response.raw_headers, *own],
            }
        )
        status = response.status_code
        await send({"type": "http.response.body", "body": response.body})
    finally:
        seconds = time.monotonic() - arrival.started
        log.note(method, route, status, seconds, arrival.fields)
