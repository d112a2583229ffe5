"""The shortest way to `POST /classify`: from head and body to the answer, without ASGI."""

from functools import lru_cache

from fastapi.responses import Response
from starlette.types import Scope

from app.contract.errors import RequestError, UnsupportedMediaType
from app.transport.http.arrivals import CLASSIFY_PATH, Arrival, Arrivals
from app.transport.http.classify import ClassifyEndpoint
from app.transport.http.direct import answer_directly
from app.transport.http.direct_requests import DirectRequest, Write
from app.transport.http.early_answers import WireAnswer
from app.transport.http.forms import FORM, JSON, is_image, media_type
from app.transport.http.request_body import ReceivedBody
from app.transport.http.request_log import RequestLog

_CONNECTION = b"connection"


class DirectClassify:
    """Decides by its head how a request to classify is answered, see `DirectRequests`.

    Args:
        arrivals: decides about requests.
        endpoint: answers them.
        log: notes them.
    """

    def __init__(self, arrivals: Arrivals, endpoint: ClassifyEndpoint, log: RequestLog) -> None:
        self._arrivals = arrivals
        self._endpoint = endpoint
        self._log = log

    def __call__(self, scope: Scope) -> WireAnswer | DirectRequest | None:
        """See `BoundedHttpProtocol.take_directly`.

        What is refused by its head, and a body without a length, is for the application.
        """
        first = self._arrivals.at_head(scope)
        if not isinstance(first, Arrival):
            return first
        is_expected = b"content-length" in first.headers and _is_read(first)
        if isinstance(first.outcome, RequestError) or not is_expected:
            return None
        return _Classify(first, self._endpoint, self._log)


class _Classify:
    """A request to classify; see `DirectRequest`."""

    __slots__ = ("_arrival", "_endpoint", "_log")

    def __init__(self, arrival: Arrival, endpoint: ClassifyEndpoint, log: RequestLog) -> None:
        self._arrival = arrival
        self._endpoint = endpoint
        self._log = log

    async def answer(self, body: list[bytes] | Exception, write: Write) -> None:
        """See `DirectRequest`."""

        async def deliver(response: Response, headers: list[tuple[bytes, bytes]]) -> None:
            fields = [field for field in headers if field[0] != _CONNECTION]
            write(
                WireAnswer(
                    response.status_code,
                    b"".join([b"%b: %b\r\n" % field for field in fields]),
                    bytes(response.body),
                    keep_alive=len(fields) == len(headers),
                )
            )

        await answer_directly(
            self._arrival,
            self._answer(body),
            deliver,
            self._log,
            method="POST",
            route=CLASSIFY_PATH,
        )

    async def _answer(self, body: list[bytes] | Exception) -> Response:
        if isinstance(body, Exception):
            self._arrival.close()
            raise body
        return await self._endpoint.answer(self._arrival, ReceivedBody(body, self._arrival.visit()))


def _is_read(arrival: Arrival) -> bool:
    """Whether the type of its body is one that is read; otherwise it is refused before it comes."""
    if b"content-encoding" in arrival.headers:
        return False
    # Without its parameters: every form has a boundary of its own.
    return _is_type_read(arrival.headers.get(b"content-type", b"").partition(b";")[0])


@lru_cache(maxsize=64)  # clients send few
def _is_type_read(header: bytes) -> bool:
    try:
        kind = media_type({b"content-type": header})
    except UnsupportedMediaType:
        return False
    return kind in (FORM, JSON) or is_image(kind)
