"""The short way to `POST /classify`."""

import logging

from fastapi import Request
from fastapi.responses import Response
from starlette._utils import get_route_path
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Receive, Scope, Send

from app.contract.errors import RequestError
from app.transport.http.arrivals import CLASSIFY_PATH, Arrivals
from app.transport.http.classify import ClassifyEndpoint
from app.transport.http.direct import answer_directly
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
        answer = self._answer(scope, receive)
        await answer_directly(arrival, answer, send, self._log, method="POST", route=CLASSIFY_PATH)

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
