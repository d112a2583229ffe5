"""The door of `POST /classify`: who may come in is told from a request's head alone."""

import time
from collections.abc import Callable
from functools import lru_cache

from fastapi import Request
from fastapi.responses import Response
from starlette.types import Scope

from app.api.middleware import NO_SNIFFING
from app.api.parameters import ClassifyParameters
from app.api.problems import error_response
from app.api.request_log import RequestLog, identity
from app.early_answers import EarlyAnswer
from app.errors import Overloaded, RequestError
from app.log import request_fields, request_id
from app.serving.admission import Caller
from app.serving.service import Service

_QUERIES_REMEMBERED = 256
_LONGEST_PAUSE = 1.0
# The middleware knows what these are for.
_NEEDS_MIDDLEWARE = frozenset((b"origin", b"x-forwarded-for"))


class Door:
    """Lets requests in before their bodies are read: nobody uploads for nothing.

    Above capacity most of what a service does is to refuse, and it does so on the cores that it
    serves from. So the HTTP protocol asks here (`refusal`) before it makes a task of a request
    and leads it through the middleware.

    Args:
        service: whose room it is.
        path: the route's path.
        identify: names the caller of a request, or refuses it.
        log: notes the requests that are refused without the middleware.
    """

    def __init__(
        self, service: Service, path: str, identify: Callable[[Request], str], log: RequestLog
    ) -> None:
        self.path = path
        self._service = service
        self._identify = identify
        self._log = log
        # A client sends the same query again and again.
        self._parse = lru_cache(maxsize=_QUERIES_REMEMBERED)(ClassifyParameters.parse)

    def enter(self, request: Request) -> tuple[ClassifyParameters, Caller]:
        """What a request asks for, and who asks.

        Raises:
            RequestError: if it may not come in.
        """
        parameters = self._parse(request.scope["query_string"])
        caller = Caller(self._identify(request), parameters.priority)
        self._service.classifier(parameters.model, parameters.version).check_room(caller)
        return parameters, caller

    def refusal(self, scope: Scope) -> EarlyAnswer | None:
        """The whole answer to a request that there is no room for; None for any other request.

        Who comes again before the time is heard no further until then.

        Args:
            scope: with `method`, `raw_path`, `query_string`, `headers` and `client`.
        """
        if scope["method"] != "POST" or scope["raw_path"] != self.path.encode():
            return None
        if any(name in _NEEDS_MIDDLEWARE for name, _ in scope["headers"]):
            return None
        started = time.monotonic()
        try:
            self.enter(Request(scope))
        except Overloaded as error:
            response = self._refuse(scope, error, started)
            return EarlyAnswer(response, pause_seconds=min(error.early_seconds, _LONGEST_PAUSE))
        except RequestError:
            return None  # it is told again inside, for whatever reason
        return None

    def _refuse(self, scope: Scope, error: Overloaded, started: float) -> Response:
        own_id = identity(scope["headers"])
        token = request_id.set(own_id)
        fields_token = request_fields.set({})
        try:
            response = error_response(error)
            self._log.note(
                {**scope, "route": self}, response.status_code, time.monotonic() - started
            )
        finally:
            request_fields.reset(fields_token)
            request_id.reset(token)
        response.raw_headers += [(b"x-request-id", own_id.encode()), NO_SNIFFING]
        return response
