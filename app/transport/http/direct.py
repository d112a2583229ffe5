"""Answers that go out without the layers around the application."""

import logging
import time
from collections.abc import Awaitable, Callable

from fastapi.responses import Response
from starlette.requests import ClientDisconnect
from starlette.types import Send

from app.contract.errors import RequestError
from app.telemetry.log import request_fields, request_id
from app.transport.http.arrivals import Arrival
from app.transport.http.middleware import NO_SNIFFING
from app.transport.http.problems import CLIENT_CLOSED_REQUEST, error_response, internal_error
from app.transport.http.request_log import RequestLog

logger = logging.getLogger(__name__)

Deliver = Callable[[Response, list[tuple[bytes, bytes]]], Awaitable[None]]
"""Sends a response, with these header fields."""


async def answer_directly(
    arrival: Arrival,
    answer: Awaitable[Response],
    deliver: Deliver,
    log: RequestLog,
    *,
    method: str,
    route: str,
) -> None:
    """Sends an answer with the request's id, and counts and logs the request.

    Args:
        arrival: the request's.
        answer: gives the response; an error that it raises is answered as such.
        deliver: sends it.
        log: notes the request.
        method: of the request.
        route: its path, as it is counted.
    """
    request_id.set(arrival.id)
    request_fields.set(arrival.fields)
    status: int | None = None
    try:
        response = await _answer_or_error(answer)
        if response.status_code == CLIENT_CLOSED_REQUEST:
            return
        own = ((b"x-request-id", arrival.id.encode()), NO_SNIFFING)
        await deliver(response, [*response.raw_headers, *own])
        status = response.status_code
    finally:
        seconds = time.monotonic() - arrival.started
        log.note(method, route, status, seconds, arrival.fields)


def through_asgi(send: Send) -> Deliver:
    """Delivers to an ASGI server."""

    async def deliver(response: Response, headers: list[tuple[bytes, bytes]]) -> None:
        await send(
            {
                "type": "http.response.start",
                "status": response.status_code,
                "headers": headers,
            }
        )
        await send({"type": "http.response.body", "body": response.body})

    return deliver


async def _answer_or_error(answer: Awaitable[Response]) -> Response:
    try:
        return await answer
    except RequestError as error:
        return error_response(error)
    except ClientDisconnect:
        return Response(status_code=CLIENT_CLOSED_REQUEST)
    except Exception:
        logger.exception("unexpected error")
        return internal_error()
