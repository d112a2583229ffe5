"""The door of `POST /classify`: who may come in is told from a request's head alone."""

import time
from collections.abc import Callable, Mapping
from functools import lru_cache

from starlette.types import Scope

from app.contract.errors import Overloaded, RequestError
from app.inference.admission import Caller
from app.inference.classifier import Classifier
from app.inference.service import Service
from app.telemetry.log import request_fields, request_id
from app.transport.http.early_answers import EarlyAnswer
from app.transport.http.middleware import NO_SNIFFING
from app.transport.http.parameters import ClassifyParameters
from app.transport.http.problems import ANSWERS, PROBLEM_TYPE, problem_body, retry_after
from app.transport.http.request_log import RequestLog, identity

_QUERIES_REMEMBERED = 256
_LONGEST_PAUSE = 1.0
# The middleware knows what these are for.
_NEEDS_MIDDLEWARE = frozenset((b"origin", b"x-forwarded-for"))
_STATUS = ANSWERS[Overloaded].status
_TITLE = ANSWERS[Overloaded].title
_HEAD = (
    b"retry-after: %%b\r\ncontent-length: %%d\r\ncontent-type: %b\r\n"
    b"x-request-id: %%b\r\n%b: %b\r\n" % (PROBLEM_TYPE.encode(), *NO_SNIFFING)
)


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
        self, service: Service, path: str, identify: Callable[[Scope], str], log: RequestLog
    ) -> None:
        self._service = service
        self._path = path
        self._raw_path = path.encode()
        self._identify = identify
        self._log = log
        # A client sends the same query again and again.
        self._parse = lru_cache(maxsize=_QUERIES_REMEMBERED)(ClassifyParameters.parse)

    def enter(self, scope: Scope) -> tuple[ClassifyParameters, Caller]:
        """What a request asks for, and who asks.

        Args:
            scope: with `query_string`, `headers` and `client`.

        Raises:
            RequestError: if it may not come in.
        """
        parameters, caller, classifier = self._introduce(scope)
        classifier.check_room(caller)
        return parameters, caller

    def refusal(self, scope: Scope) -> EarlyAnswer | None:
        """The whole answer to a request that there is no room for; None for any other request.

        Who comes again before the time is heard no further until then.

        Args:
            scope: with `method`, `raw_path`, `query_string`, `headers` and `client`.
        """
        if scope["method"] != "POST" or scope["raw_path"] != self._raw_path:
            return None
        started = time.monotonic()
        headers = scope["headers"]
        if not _NEEDS_MIDDLEWARE.isdisjoint([name for name, _ in headers]):
            return None
        fields = self._log.first_fields(scope)
        token = request_fields.set(fields)
        try:
            _, caller, classifier = self._introduce(scope)
        except RequestError:
            return None  # it is told again inside, for whatever reason
        finally:
            request_fields.reset(token)
        if (error := classifier.knock(caller)) is None:
            return None
        return self._refuse(error, identity(headers), started, fields)

    def _introduce(self, scope: Scope) -> tuple[ClassifyParameters, Caller, Classifier]:
        # First who asks: the log names them, and strangers are told nothing but that they are.
        name = self._identify(scope)
        parameters = self._parse(scope["query_string"])
        caller = Caller(name, parameters.priority)
        return parameters, caller, self._service.classifier(parameters.model, parameters.version)

    def _refuse(
        self, error: Overloaded, own_id: str, started: float, fields: Mapping[str, object]
    ) -> EarlyAnswer:
        token = request_id.set(own_id)
        try:
            seconds = time.monotonic() - started
            self._log.note("POST", self._path, _STATUS, seconds, {"outcome": error.code, **fields})
        finally:
            request_id.reset(token)
        body = problem_body(_STATUS, error.code, _TITLE, str(error), own_id)
        head = _HEAD % (retry_after(error).encode(), len(body), own_id.encode())
        return EarlyAnswer(_STATUS, head, body, min(error.early_seconds, _LONGEST_PAUSE))
