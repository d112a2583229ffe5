"""The short way to `POST /classify`."""

import logging
import time

from fastapi import Request
from fastapi.responses import Response
from starlette._utils import get_route_path
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Receive, Scope, Send

from app.contract.errors import RequestError
from app.telemetry.log import request_fields, request_id
from app.transport.http.arrivals import CLASSIFY_PATH, Arrivals
from app.transport.http.classify import ClassifyEndpoint
from app.transport.http.middleware import NO_SNIFFING
from app.transport.http.problems import CLIENT_CLOSED_REQUEST, error_response, internal_error
from app.transport.http.request_log import RequestLog

logger = logging.getLogger(__name__)


class ClassifyRoute:
    """Answers `POST /classify` outside of all layers that lie around every other route.

    They look routes up, collect dependencies' clean-ups, wrap `send` and catch errors in several
    places, which together takes as long as the rest of a request does on the event loop. What of
    that the route needs is here, once. The route is registered with FastAPI as well: that
    documents it, answers its other methods, and serves it where the layers are wanted.

    Args:
        app: the application inside, for all other requests.
        arrivals: decides about requests.
        endpoint: answers them.
        log: notes them.
    """

    def __init__(
        self, app: ASGIApp, arrivals: Arrivals, endpoint: ClassifyEndpoint, log: RequestLog
    ) -> None:
        self._app = app
        self._arrivals = arrivals
        self._endpoint = endpoint
        self._log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one ASGI connection."""
        if (
            scope["type"] != "http"
            or scope["method"] != "POST"
            or get_route_path(scope) != CLASSIFY_PATH
        ):
            await self._app(scope, receive, send)
            return
        arrival = self._arrivals.of(scope)
        request_id.set(arrival.id)
        request_fields.set(arrival.fields)
        status: int | None = None
        try:
            response = await self._answer(scope, receive)
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
            self._log.note("POST", CLASSIFY_PATH, status, seconds, arrival.fields)

    async def _answer(self, scope: Scope, receive: Receive) -> Response:
        try:
            return await self._endpoint(Request(scope, receive))
        except RequestError as error:
            return error_response(error)
        except ClientDisconnect:
            return Response(status_code=CLIENT_CLOSED_REQUEST)
        except Exception:
            logger.exception("unforeseen error")
            return internal_error()
