"""What the two clients share: their options, and the flows behind their methods."""

import asyncio
import os
import random
import ssl
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Generic, TypeAlias, TypeVar

import httpx

from senet_client.access import checked_key, checked_trust, checked_url
from senet_client.answers import parse_classify, parse_models, parse_picture
from senet_client.errors import (
    BodyTooLarge,
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
from senet_client.images import EncodedImage, ImageLike, batches, encode, several
from senet_client.pools import Pool, Pools
from senet_client.requests import (
    ClassifyOptions,
    ExplainOptions,
    classify_request,
    explain_request,
    models_request,
    ready_request,
)
from senet_client.results import Batch, Classification, LoadedModel, Result

API_KEY_VARIABLE = "SENET_API_KEY"
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
Http = TypeVar("Http", httpx.Client, httpx.AsyncClient)
Turns = TypeVar("Turns")


class BaseClient(ABC, Generic[Http, Turns, Transport, Sleep]):
    """The options of `Client` and `AsyncClient`.

    Args:
        base_url: where the service is, a proxy's path prefix included; holds no user name.
        api_key: sent as a bearer token; by default what `SENET_API_KEY` holds, if anything.
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
        transport: what sends requests, instead of the network.
        sleep: waits so many seconds, instead of really doing so.
        clock: monotonic time in seconds.
        random: uniform in [0, 1), for the pauses' jitter.

    Raises:
        InvalidArgument: for a value that cannot be used.
    """

    def __init__(
        self,
        base_url: str = "http://127.0.0.1:8000",
        *,
        api_key: str | None = None,
        timeouts: Timeouts = Timeouts(),  # noqa: B008 - frozen
        retries: Retries = Retries(),  # noqa: B008 - frozen
        on_retry: Callable[[Retry], None] = _ignore,
        images_per_request: int = IMAGES_PER_REQUEST,
        bytes_per_request: int = 8 * 1024 * 1024,
        max_image_bytes: int = MAX_IMAGE_BYTES,
        max_connections: int = MAX_CONNECTIONS,
        verify: ssl.SSLContext | bool = True,
        transport: Transport | None = None,
        sleep: Sleep | None = None,
        clock: Callable[[], float] = time.monotonic,
        random: Callable[[], float] = random.random,
    ) -> None:
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
        headers = {"accept": "application/json", "user-agent": "senet-client"}
        if self._api_key is not None:
            headers["authorization"] = f"Bearer {self._api_key}"
        trust = checked_trust(verify)

        def make() -> Pool[Http, Turns]:
            try:
                http = self._open(
                    transport=transport,
                    base_url=self._base_url,
                    headers=headers,
                    # How many there are follows from the turns.
                    limits=httpx.Limits(max_keepalive_connections=max_connections),
                    verify=trust,
                )
            except (httpx.InvalidURL, ValueError, ImportError) as error:
                raise InvalidArgument(
                    "HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY: what the environment says of"
                    f" proxies cannot be used ({error})"
                ) from error
            return Pool(http, self._make_turns(max_connections))

        self._pools: Pools[Http, Turns] = Pools(make, self._running_loop)

    @abstractmethod
    def _open(self, **options: Any) -> Http:  # noqa: ANN401 - what httpx's two classes both take
        """Makes a pool of connections."""

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
            lambda response, attempts: parse_classify(response, names, attempts),
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

    def _ready_flow(self) -> Flow[bool]:
        """Asks once; a service that cannot be reached is not ready."""
        once = replace(self._policy, retries=Retries(attempts=1), on_retry=_ignore)
        try:
            return (yield from once.call(ready_request(), lambda _response, _attempts: True))
        except (Unavailable, TimedOut):
            return False
        except ConnectionFailed as error:
            if type(error) is ConnectionFailed:
                return False
            raise

    def _check_concurrency(self, concurrency: int) -> None:
        if not isinstance(concurrency, int) or concurrency < 1:
            raise InvalidArgument("concurrency must be at least 1")

    def _encode(self, image: ImageLike) -> EncodedImage:
        try:
            return encode(image, self._max_image_bytes)
        except (ImageError, InvalidArgument) as error:
            error.url = f"{self._base_url.rstrip('/')}/classify"
            raise

    def _groups(self, images: Iterable[ImageLike]) -> Iterator[Group]:
        """Reads images as they are needed and groups them into requests.

        Raises:
            InvalidArgument: at once, if it is one image, or nothing that holds some.
        """
        listed = several(images)

        def read() -> Iterator[EncodedImage | Failure]:
            for image in listed:
                try:
                    yield self._encode(image)
                except (ImageError, InvalidArgument) as error:
                    yield error

        return batches(
            read(),
            lambda item: len(item.data) if isinstance(item, EncodedImage) else 0,
            max_images=self._images_per_request,
            max_bytes=self._bytes_per_request,
        )

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


def build(client: httpx.Client | httpx.AsyncClient, attempt: Attempt) -> httpx.Request:
    """The HTTP request of an attempt."""
    wire = attempt.request
    return client.build_request(
        wire.method,
        wire.path,
        params=wire.params,
        content=wire.content,
        headers=attempt.headers,
        timeout=attempt.timeout,
    )
