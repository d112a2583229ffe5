"""Requests to classify as they arrive: who sends them, what they ask for, and whether they may."""

import math
import time
from collections.abc import Callable, MutableMapping
from functools import lru_cache

from starlette.types import Scope

from app.contract.errors import BodyTooLarge, Overloaded, RequestError
from app.inference.admission import Caller
from app.inference.service import Service
from app.inference.visit import Visit
from app.telemetry.log import request_fields, request_id
from app.transport.http.answer_weight import check_weight
from app.transport.http.auth import address
from app.transport.http.early_answers import WireAnswer
from app.transport.http.middleware import NO_SNIFFING
from app.transport.http.parameters import ClassifyParameters, client_timeout_ms
from app.transport.http.problems import ANSWERS, PROBLEM_TYPE, problem_body, retry_after
from app.transport.http.protocol import CLIENT_LEFT
from app.transport.http.request_body import declared_length, expected_memory
from app.transport.http.request_log import RequestLog, identity

CLASSIFY_PATH = "/classify"

Read = Callable[[bytes], ClassifyParameters]
"""Reads a query; raises `InvalidParameter`."""

_QUERIES_REMEMBERED = 256
_STATE = "arrival"
_STATUS = ANSWERS[Overloaded].status
_TITLE = ANSWERS[Overloaded].title
_HEAD = (
    b"retry-after: %%b\r\ncontent-length: %%d\r\ncontent-type: %b\r\n"
    b"x-request-id: %%b\r\n%b: %b\r\n" % (PROBLEM_TYPE.encode(), *NO_SNIFFING)
)


class Arrival:
    """A request whose head has come.

    Attributes:
        id: the request's.
        started: when its head was in, on the monotonic clock in seconds.
        headers: by their names in lower case; of a repeated one the last.
        fields: what its line in the log says.
        outcome: its visit, or why it may not come in.
    """

    __slots__ = ("fields", "headers", "id", "outcome", "started")

    def __init__(self, headers: list[tuple[bytes, bytes]], fields: dict[str, object]) -> None:
        self.id = identity(headers)
        self.started = time.monotonic()
        self.headers = dict(headers)
        self.fields = fields
        self.outcome: Visit | RequestError

    def visit(self) -> Visit:
        """The visit.

        Raises:
            RequestError: if the request may not come in.
        """
        if isinstance(self.outcome, RequestError):
            raise self.outcome
        return self.outcome

    def leave(self) -> None:
        """Its client has left."""
        if isinstance(self.outcome, Visit):
            self.outcome.leave()

    def close(self) -> None:
        """Gives back what it holds."""
        if isinstance(self.outcome, Visit):
            self.outcome.close()


class Arrivals:
    """Decides about each request once, by its head: nobody uploads for nothing.

    Above capacity most of what a service does is to refuse, and it does so on the cores that it
    serves from. So the HTTP protocol asks here (`at_head`) before it makes a task of a request
    and leads it through the middleware.

    Args:
        service: what is visited.
        identify: names the caller of a request, or refuses it.
        log: notes the requests that are refused without the middleware.
        max_body_bytes: largest body.
        max_answer_bytes: largest answer.
    """

    def __init__(
        self,
        service: Service,
        identify: Callable[[Scope], str],
        log: RequestLog,
        *,
        max_body_bytes: int,
        max_answer_bytes: int,
    ) -> None:
        self._service = service
        self._identify = identify
        self._log = log
        self._max_body_bytes = max_body_bytes
        self._max_answer_bytes = max_answer_bytes
        self._raw_path = CLASSIFY_PATH.encode()
        # A client sends the same query again and again.
        self._parse = lru_cache(maxsize=_QUERIES_REMEMBERED)(ClassifyParameters.parse)

    def of(self, scope: Scope, read: Read | None = None) -> Arrival:
        """The arrival of a request, decided now unless the HTTP protocol has asked before.

        Args:
            scope: of the ASGI connection.
            read: tells what the request asks for by its query; as `/classify` does by default.
        """
        state = scope.setdefault("state", {})
        arrival: Arrival | None = state.get(_STATE)
        if arrival is None:
            arrival = self._arrive(scope, read or self._parse)
            _keep(arrival, state)
        return arrival

    def at_head(self, scope: Scope) -> Arrival | WireAnswer | None:
        """The arrival of a request to classify, decided as soon as its head has come.

        Args:
            scope: with `method`, `raw_path`, `query_string`, `headers`, `client` and `state`,
                where the arrival is left for the application.

        Returns:
            The whole answer if there is no room for the request; None for any other request, and
            for those of pages.
        """
        if scope["method"] != "POST" or scope["raw_path"] != self._raw_path:
            return None
        if any(name == b"origin" for name, _ in scope["headers"]):
            return None  # a page's answer has headers that the middleware knows
        arrival = self._arrive(scope, self._parse)
        if isinstance(arrival.outcome, Overloaded):
            return self._refuse(arrival, arrival.outcome)
        _keep(arrival, scope["state"])
        return arrival

    def _arrive(self, scope: Scope, read: Read) -> Arrival:
        fields = self._log.first_fields(scope)
        arrival = Arrival(scope["headers"], fields)
        token = request_fields.set(fields)
        try:
            arrival.outcome = self._admit(scope, arrival, read)
        except RequestError as error:
            arrival.outcome = error
        finally:
            request_fields.reset(token)
        return arrival

    def _admit(self, scope: Scope, arrival: Arrival, read: Read) -> Visit:
        # First who asks: the log names them, and strangers are told nothing.
        client = self._identify(scope)
        parameters = read(scope["query_string"])
        timeout_ms = client_timeout_ms(arrival.headers)
        length = declared_length(arrival.headers)
        visit = self._service.visit(
            Caller(client, parameters.priority),
            address(scope),
            parameters.options,
            arrival.started + (timeout_ms / 1000 if timeout_ms else math.inf),
            model=parameters.model,
            version=parameters.version,
        )
        try:
            self._check(visit, arrival, length)
        except RequestError:
            visit.close()
            raise
        return visit

    def _check(self, visit: Visit, arrival: Arrival, length: int) -> None:
        model = visit.host.model
        arrival.fields |= {
            "model": model.name,
            "version": model.version,
            "priority": visit.caller.priority,
        }
        check_weight(model, visit.options, 1, self._max_answer_bytes)  # told before the upload
        if length > self._max_body_bytes:
            raise BodyTooLarge(f"{length} bytes; at most {self._max_body_bytes} are accepted")
        visit.hold(expected_memory(arrival.headers, length))

    def _refuse(self, arrival: Arrival, error: Overloaded) -> WireAnswer:
        body = problem_body(_STATUS, error.code, _TITLE, str(error), arrival.id)
        token = request_id.set(arrival.id)
        self._log.note(
            "POST",
            CLASSIFY_PATH,
            _STATUS,
            time.monotonic() - arrival.started,
            {**arrival.fields, "outcome": error.code},
        )
        request_id.reset(token)
        head = _HEAD % (retry_after(error).encode(), len(body), arrival.id.encode())
        return WireAnswer(_STATUS, head, body)


def _keep(arrival: Arrival, state: MutableMapping[str, object]) -> None:
    state[_STATE] = arrival
    state[CLIENT_LEFT] = arrival.leave
