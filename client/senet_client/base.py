"""What the two clients share: their options, and the flows behind their methods."""

import asyncio
import os
import random
import ssl
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Generic, TypeAlias, TypeVar

import httpx

from senet_client.access import checked_key, checked_trust, checked_url
from senet_client.answers import parse_class_gates, parse_classify, parse_models, parse_picture
from senet_client.connections import Http, checked_headers, lending, opening
from senet_client.errors import (
    BodyTooLarge,
    ClientClosed,
    ConnectionFailed,
    DeadlineExceeded,
    ImageError,
    InferenceFailed,
    InvalidArgument,
    SenetClientError,
    TimedOut,
    Unavailable,
)
from senet_client.flow import Attempt, Contact, Flow, Policy, Retries, Retry, Timeouts
from senet_client.images import EncodedImage, Grouping, ImageLike, encode, several
from senet_client.pools import Pool, Pools
from senet_client.requests import (
    ClassifyOptions,
    ExplainOptions,
    class_gates_request,
    classify_request,
    explain_request,
    models_request,
    ready_request,
)
from senet_client.results import Batch, ClassGates, Classification, LoadedModel, Result

API_KEY_VARIABLE = "SENET_API_KEY"
URL_VARIABLE = "SENET_URL"
DEFAULT_URL = "http://127.0.0.1:8000"
# The service's default of `max_body_bytes`; a fourth of that of `max_images_per_request`.
MAX_IMAGE_BYTES = 32 * 1024 * 1024
IMAGES_PER_REQUEST = 16

MAX_CONNECTIONS = 16

Failure: TypeAlias = ImageError | InvalidArgument
"""Why one image was not sent."""
Group: TypeAlias = list[EncodedImage | Failure]


def _ignore(retry: Retry) -> None:
    del retry


Transport = TypeVar("Transport")
Sleep = TypeVar("Sleep")
Turns = TypeVar("Turns")


class BaseClient(ABC, Generic[Http, Turns, Transport, Sleep]):
    """The options of `Client` and `AsyncClient`.

    Args:
        base_url: where the service is, a proxy's path prefix included; holds no user name. By
            default that of `http_client`, or what `SENET_URL` holds, or port 8000 of this machine.
        api_key: sent as a bearer token; by default what `SENET_API_KEY` holds, if anything.
        headers: sent with every request, for proxies and gateways on the way.
        timeouts: how long things may take.
        retries: when to try again.
        on_retry: told before each pause; must not block.
        images_per_request: most images that `classify_many` puts into a request.
        bytes_per_request: most bytes that it puts into a request of several images.
        max_image_bytes: a larger image is refused on this side, unread.
        max_connections: most classifications under way at once in a process (and event loop);
            further calls wait their turn here, where they wait in line, instead of being refused
            by the service.
        verify: how the service's certificate is checked: against the usual authorities, or by
            the context given.
        proxy: URL of the proxy to go through; by default what the environment says.
        trust_env: whether the environment's proxies (`HTTP_PROXY`, ...) and `.netrc` count.
        http2: whether HTTP/2 may be spoken, with a proxy that does; needs `httpx[http2]`.
        http_client: the caller's own, with whatever it has been given: it takes the place of
            `verify`, `proxy`, `trust_env`, `http2` and `transport`. Never closed by this one, and
            for one process and event loop.
        transport: what sends requests, instead of the network.
        sleep: waits so many seconds, instead of really doing so.
        clock: monotonic time in seconds.
        random: uniform in [0, 1), for the pauses' jitter.

    Raises:
        InvalidArgument: for a value that cannot be used.
    """

    def __init__(
        self,
        base_url: str | None = None,
        *,
        api_key: str | None = None,
        headers: Mapping[str, str] | None = None,
        timeouts: Timeouts = Timeouts(),  # noqa: B008 - frozen
        retries: Retries = Retries(),  # noqa: B008 - frozen
        on_retry: Callable[[Retry], None] = _ignore,
        images_per_request: int = IMAGES_PER_REQUEST,
        bytes_per_request: int = 8 * 1024 * 1024,
        max_image_bytes: int = MAX_IMAGE_BYTES,
        max_connections: int = MAX_CONNECTIONS,
        verify: ssl.SSLContext | bool = True,
        proxy: str | None = None,
        trust_env: bool = True,
        http2: bool = False,
        http_client: Http | None = None,
        transport: Transport | None = None,
        sleep: Sleep | None = None,
        clock: Callable[[], float] = time.monotonic,
        random: Callable[[], float] = random.random,
    ) -> None:
        if base_url is None:
            base_url = _default_url(http_client)
        self._base_url = checked_url(base_url)
        self._api_key = checked_key(
            api_key if api_key is not None else os.environ.get(API_KEY_VARIABLE)
        )
        if not isinstance(timeouts, Timeouts) or not isinstance(retries, Retries):
            raise InvalidArgument("timeouts must be a Timeouts, and retries a Retries")
        self._policy = Policy(timeouts, retries, on_retry, clock, random, self._base_url, Contact())
        counts = (images_per_request, bytes_per_request, max_image_bytes, max_connections)
        if not all(isinstance(count, int) and count >= 1 for count in counts):
            raise InvalidArgument("sizes and counts must be whole numbers of at least 1")
        self._images_per_request = images_per_request
        self._bytes_per_request = bytes_per_request
        self._max_image_bytes = max_image_bytes
        self._sleep = self._default_sleep() if sleep is None else sleep
        self._headers = checked_headers(headers, self._api_key)
        self._owns_http = http_client is None
        self._tasks: set[asyncio.Task[list[Result]]] = set()
        """Requests of `classify_many` that an event loop has under way."""
        if http_client is None:
            make = opening(
                self._http_type,
                transport=transport,
                # How many there are follows from the turns.
                limits=httpx.Limits(max_keepalive_connections=max_connections),
                verify=checked_trust(verify),
                proxy=proxy,
                trust_env=trust_env,
                http2=http2,
            )
        elif (verify, proxy, trust_env, http2, transport) != (True, None, True, False, None):
            raise InvalidArgument(
                "http_client: verify, proxy, trust_env, http2 and transport are its own; give them"
                " to it"
            )
        else:
            make = lending(http_client, self._http_type)
        self._pools: Pools[Http, Turns] = Pools(
            lambda: Pool(make(), self._make_turns(max_connections)), self._running_loop
        )

    _http_type: type[Http]
    """httpx's class whose connections are used."""

    @abstractmethod
    def _make_turns(self, count: int) -> Turns:
        """Makes a semaphore."""

    @abstractmethod
    def _running_loop(self) -> asyncio.AbstractEventLoop | None:
        """The event loop that a pool belongs to."""

    @abstractmethod
    def _default_sleep(self) -> Sleep:
        """What waits for real."""

    def __repr__(self) -> str:
        key = "None" if self._api_key is None else "'***'"
        return f"{type(self).__name__}({self._base_url!r}, api_key={key})"

    def _batch_flow(
        self, images: Sequence[EncodedImage], timeout: float | None, options: ClassifyOptions
    ) -> Flow[Batch]:
        names = tuple(image.name for image in images)
        return self._policy.call(
            classify_request(images, options),
            lambda response, sent: parse_classify(response, names, sent),
            timeout,
            names,
        )

    def _explain_flow(
        self, image: EncodedImage, timeout: float | None, options: ExplainOptions
    ) -> Flow[bytes]:
        return self._policy.call(
            explain_request(image, options),
            lambda response, _: parse_picture(response),
            timeout,
            (image.name,),
        )

    def _models_flow(self) -> Flow[list[LoadedModel]]:
        return self._policy.call(models_request(), lambda response, _: parse_models(response))

    def _class_gates_flow(
        self, model: str, version: int | str, class_index: int
    ) -> Flow[ClassGates]:
        request = class_gates_request(model, version, class_index)
        return self._policy.call(request, lambda response, _: parse_class_gates(response))

    def _ready_flow(self) -> Flow[bool]:
        """Asks once; a service that cannot be reached is not ready."""
        once = replace(self._policy, retries=Retries(attempts=1), on_retry=_ignore)
        try:
            return (yield from once.call(ready_request(), lambda _response, _: True))
        except (Unavailable, TimedOut):
            return False
        except ConnectionFailed as error:
            if type(error) is ConnectionFailed:
                return False
            raise

    def _request(self, http: Http, attempt: Attempt) -> httpx.Request:
        """The HTTP request of an attempt."""
        wire = attempt.request
        return http.build_request(
            wire.method,
            self._policy.url(wire),
            params=wire.params,
            content=wire.content,
            headers={**self._headers, **attempt.headers},
            timeout=attempt.timeout,
        )

    def _closed_error(self, http: Http, error: RuntimeError) -> ClientClosed | None:
        """What httpx's own error means if it is that of a client that was closed meanwhile."""
        if self._pools.closed:
            return ClientClosed("this client was closed during the call")
        if http.is_closed:
            return ClientClosed("the http_client that was given is closed")
        return None

    def _check_concurrency(self, concurrency: int) -> None:
        if not isinstance(concurrency, int) or concurrency < 1:
            raise InvalidArgument("concurrency must be at least 1")

    def _encode(self, image: ImageLike) -> EncodedImage:
        try:
            return encode(image, self._max_image_bytes)
        except (ImageError, InvalidArgument) as error:
            error.url = f"{self._base_url.rstrip('/')}/classify"
            raise

    def _grouping(self) -> Grouping[EncodedImage | Failure]:
        return Grouping(
            lambda item: len(item.data) if isinstance(item, EncodedImage) else 0,
            max_images=self._images_per_request,
            max_bytes=self._bytes_per_request,
        )

    def _encode_or_fail(self, image: ImageLike) -> EncodedImage | Failure:
        try:
            return self._encode(image)
        except (ImageError, InvalidArgument) as error:
            return error

    def _groups(self, images: Iterable[ImageLike]) -> Iterator[Group]:
        """Reads images as they are needed and groups them into requests.

        Raises:
            InvalidArgument: at once, if it is one image, or nothing that holds some.
        """
        return self._grouping().of(map(self._encode_or_fail, several(images)))

    def _group_flow(
        self, group: Group, timeout: float | None, options: ClassifyOptions
    ) -> Flow[list[Result]]:
        """One result for each of the group, whether it could be read and classified or not."""
        sent = [item for item in group if isinstance(item, EncodedImage)]
        if not sent:
            return [item for item in group if not isinstance(item, EncodedImage)]
        try:
            answers = list((yield from self._batch_flow(sent, timeout, options)).results)
        except (ImageError, InferenceFailed, DeadlineExceeded, BodyTooLarge) as error:
            # Of a request that held one image its failure is the response; of several that
            # would be the whole request's failure.
            if len(sent) > 1:
                raise
            answers = [error]
        remaining = iter(answers)
        return [next(remaining) if isinstance(item, EncodedImage) else item for item in group]


def only(batch: Batch) -> Classification:
    """The one classification of a batch of one image."""
    (result,) = batch.results
    if isinstance(result, SenetClientError):
        raise result
    return result


def _default_url(http_client: httpx.Client | httpx.AsyncClient | None) -> str:
    """Where the service is if the caller does not say so."""
    own = str(getattr(http_client, "base_url", ""))
    return own or os.environ.get(URL_VARIABLE) or DEFAULT_URL
