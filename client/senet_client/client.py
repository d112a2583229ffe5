"""The blocking client."""

import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Self, TypeVar, Unpack

import httpx

from senet_client.base import BaseClient, build, only
from senet_client.flow import Flow, Outcome, Pause
from senet_client.images import ImageLike
from senet_client.requests import ClassifyOptions
from senet_client.results import Batch, Classification, LoadedModel, Result

T = TypeVar("T")


class Client(BaseClient[httpx.Client, httpx.BaseTransport, Callable[[float], None]]):
    """Classifies images over HTTP. May be used by several threads at once.

    Holds one pool of connections; close it with `close` or a `with` block.

    The options are those of `BaseClient`.
    """

    def _open(self, **options: Any) -> httpx.Client:  # noqa: ANN401 - passed through
        return httpx.Client(**options)

    def _default_sleep(self) -> Callable[[float], None]:
        return time.sleep

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections. The client cannot be used afterwards."""
        self._http.close()

    def classify(
        self, image: ImageLike, *, timeout: float | None = None, **options: Unpack[ClassifyOptions]
    ) -> Classification:
        """Classifies one image.

        Args:
            image: a path, the encoded bytes, an open binary file, or a Pillow image.
            timeout: seconds for the whole call, retries included; by default
                `timeouts.total`.
            options: see `ClassifyOptions`.

        Raises:
            ImageError: if it is the image's own fault.
            SenetClientError: for everything else, see `senet_client.errors`.
        """
        return only(self.classify_batch([image], timeout=timeout, **options))

    def classify_batch(
        self,
        images: Sequence[ImageLike],
        *,
        timeout: float | None = None,
        **options: Unpack[ClassifyOptions],
    ) -> Batch:
        """Classifies images in exactly one request.

        Args:
            images: at least one. The service bounds how many, and their size together.
            timeout: seconds for the whole call, retries included.
            options: see `ClassifyOptions`.

        Raises:
            ImageError: if an image cannot be read, or the only one cannot be classified.
            SenetClientError: if the request fails.
        """
        encoded = [self._encode(image) for image in images]
        return self._run(self._batch_flow(encoded, timeout, options))

    def classify_many(
        self,
        images: Iterable[ImageLike],
        *,
        concurrency: int = 4,
        timeout: float | None = None,
        **options: Unpack[ClassifyOptions],
    ) -> Generator[Result, None, None]:
        """Classifies any number of images, several in a request and several requests at once.

        Images are read as they are needed, so that memory stays bounded.

        Args:
            images: the images.
            concurrency: requests under way at once.
            timeout: seconds for each request, retries included.
            options: see `ClassifyOptions`.

        Yields:
            For each image, in order, its classification or the error that it alone has.

        Raises:
            InvalidArgument: if `concurrency` is below 1.
            SenetClientError: if a request as a whole fails; what was yielded before stands.
        """
        self._check_concurrency(concurrency)
        window: deque[Future[list[Result]]] = deque()
        with ThreadPoolExecutor(concurrency, thread_name_prefix="senet-client") as pool:
            try:
                for group in self._groups(images):
                    flow = self._group_flow(group, timeout, options)
                    window.append(pool.submit(self._run, flow))
                    if len(window) >= concurrency:
                        yield from window.popleft().result()
                while window:
                    yield from window.popleft().result()
            finally:
                for future in window:
                    future.cancel()

    def models(self) -> list[LoadedModel]:
        """The models that the service has loaded.

        Raises:
            SenetClientError: if the request fails.
        """
        return self._run(self._models_flow())

    def ready(self) -> bool:
        """Whether images may be sent now. Asks once.

        Raises:
            SenetClientError: if what answers is not the service, or its certificate is rejected.
        """
        return self._run(self._ready_flow())

    def _run(self, flow: Flow[T]) -> T:
        outcome: Outcome = None
        while True:
            try:
                step = flow.send(outcome)
            except StopIteration as done:
                result: T = done.value
                return result
            if isinstance(step, Pause):
                self._sleep(step.seconds)
                outcome = None
                continue
            try:
                outcome = self._http.send(build(self._http, step))
            except httpx.TransportError as error:
                outcome = error
