"""The short way to `POST /classify`."""

from fastapi import Request
from starlette._utils import get_route_path
from starlette.types import ASGIApp, Receive, Scope, Send

from app.transport.http.arrivals import CLASSIFY_PATH, Arrivals
from app.transport.http.classify import ClassifyEndpoint
from app.transport.http.direct import answer_directly, through_asgi
from app.transport.http.request_log import RequestLog


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
        await answer_directly(
            self._arrivals.of(scope),
            self._endpoint(Request(scope, receive)),
            through_asgi(send),
            self._log,
            method="POST",
            route=CLASSIFY_PATH,
        )
