"""The short way to one route."""

from collections.abc import Awaitable, Callable

from fastapi import Request
from fastapi.responses import Response
from starlette._utils import get_route_path
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Receive, Scope, Send

from app.contract.errors import RequestError
from app.transport.http.problems import CLIENT_CLOSED_REQUEST, error_response

Endpoint = Callable[[Request], Awaitable[Response]]


class DirectRoute:
    """Leads the requests of one route past the layers that FastAPI puts around every route.

    They look routes up, collect dependencies' clean-ups and catch errors in several places, which
    takes longer than refusing a request. The route is registered with FastAPI as well: that
    documents it, answers its other methods, and serves it where the layers are wanted.

    Args:
        app: the application inside, for all other requests.
        path: the route's path.
        endpoint: the route's endpoint for POST.
    """

    def __init__(self, app: ASGIApp, path: str, endpoint: Endpoint) -> None:
        self._app = app
        self._path = path
        self._endpoint = endpoint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one ASGI connection."""
        if (
            scope["type"] != "http"
            or scope["method"] != "POST"
            or get_route_path(scope) != self._path
        ):
            await self._app(scope, receive, send)
            return
        # For whoever counts requests by route, as the router would leave it.
        scope["route"] = self
        try:
            response = await self._endpoint(Request(scope, receive, send))
        except RequestError as error:
            response = error_response(error)
        except ClientDisconnect:
            response = Response(status_code=CLIENT_CLOSED_REQUEST)
        await response(scope, receive, send)

    @property
    def path(self) -> str:
        """The route's path."""
        return self._path
