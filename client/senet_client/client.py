"""The blocking client."""

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Self, TypeVar, Unpack, overload

import httpx

from senet_client.base import BaseClient, Group, only
from senet_client.changes import (
    ModelStatus,
    change_flow,
    label_request,
    load_request,
    split_request,
    status_flow,
)
from senet_client.errors import InvalidArgument, SenetClientError
from senet_client.feedback import Label, feedback_flow
from senet_client.flow import Attempt, Flow, Outcome, Pause, Turn
from senet_client.images import ImageLike, several
from senet_client.outcomes import is_of_another
from senet_client.requests import ClassifyOptions, ExplainOptions
from senet_client.results import Batch, ClassGates, Classification, LoadedModel, Result

T = TypeVar("T")


class Client(
    BaseClient[httpx.Client, threading.Semaphore, httpx.BaseTransport, Callable[[float], None]]
):
    """Classifies images over HTTP. May be used by several threads at once, and after a fork.

    Holds one pool of connections in each process; close it with `close` or a `with` block.

    The options are those of `BaseClient`.
    """

    _http_type = httpx.Client

    def _make_turns(self, count: int) -> threading.Semaphore:
        return threading.Semaphore(count)

    def _running_loop(self) -> None:
        return None

    def _default_sleep(self) -> Callable[[float], None]:
        return time.sleep

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes this process's connections. The client cannot be used afterwards."""
        pool = self._pools.close()
        if pool is not None and self._owns_http:
            pool.http.close()

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

    # One image is not a sequence of images, though a string is one of strings. `None` is what makes
    # type checkers speak up; they pass over the use of a value that `NoReturn` says is none.
    @overload
    def classify_batch(  # type: ignore[overload-overlap]
        self,
        images: str,
        *,
        timeout: float | None = None,
        **options: Unpack[ClassifyOptions],
    ) -> None: ...
    @overload
    def classify_batch(
        self,
        images: Sequence[ImageLike],
        *,
        timeout: float | None = None,
        **options: Unpack[ClassifyOptions],
    ) -> Batch: ...
    def classify_batch(
        self,
        images: Sequence[ImageLike],
        *,
        timeout: float | None = None,
        **options: Unpack[ClassifyOptions],
    ) -> Batch | None:
        """Classifies images in exactly one request.

        Args:
            images: at least one. The service bounds how many, and their size together.
            timeout: seconds for the whole call, retries included.
            options: see `ClassifyOptions`.

        Raises:
            ImageError: if an image cannot be read, or the only one cannot be classified.
            SenetClientError: if the request fails.
        """
        encoded = [self._encode(image) for image in several(images)]
        return self._run(self._batch_flow(encoded, timeout, options))

    # As above: one image is not a sequence of images.
    @overload
    def classify_many(  # type: ignore[overload-overlap]
        self,
        images: str,
        *,
        concurrency: int = 4,
        timeout: float | None = None,
        **options: Unpack[ClassifyOptions],
    ) -> None: ...
    @overload
    def classify_many(
        self,
        images: Iterable[ImageLike],
        *,
        concurrency: int = 4,
        timeout: float | None = None,
        **options: Unpack[ClassifyOptions],
    ) -> Generator[Result, None, None]: ...
    def classify_many(
        self,
        images: Iterable[ImageLike],
        *,
        concurrency: int = 4,
        timeout: float | None = None,
        **options: Unpack[ClassifyOptions],
    ) -> Generator[Result, None, None] | None:
        """Classifies any number of images, several in a request and several requests at once.

        Images are read as they are needed, so that memory stays bounded.

        Args:
            images: the images.
            concurrency: requests under way at once, of at most `max_connections`.
            timeout: seconds for each request, retries included.
            options: see `ClassifyOptions`.

        Yields:
            For each image, in order, its classification or the error that it alone has.

        Raises:
            InvalidArgument: if `concurrency` is below 1, or `images` is one image.
            SenetClientError: if a request as a whole fails; what was yielded before stands.
        """
        self._check_concurrency(concurrency)
        return self._many(self._groups(images), concurrency, timeout, options)

    def _many(
        self,
        groups: Iterator[Group],
        concurrency: int,
        timeout: float | None,
        options: ClassifyOptions,
    ) -> Generator[Result, None, None]:
        process = os.getpid()
        for result in self._windowed(groups, concurrency, timeout, options):
            yield result
            if os.getpid() != process:
                # The threads that would bring the other results have stayed in the parent.
                raise InvalidArgument("these results belong to the process that asked for them")

    def _windowed(
        self,
        groups: Iterator[Group],
        concurrency: int,
        timeout: float | None,
        options: ClassifyOptions,
    ) -> Iterator[Result]:
        window: deque[Future[list[Result]]] = deque()
        with ThreadPoolExecutor(concurrency, thread_name_prefix="senet-client") as pool:
            try:
                for group in groups:
                    flow = self._group_flow(group, timeout, options)
                    window.append(pool.submit(self._run, flow))
                    if len(window) >= concurrency:
                        yield from window.popleft().result()
                while window:
                    yield from window.popleft().result()
            finally:
                for future in window:
                    future.cancel()

    def explain(
        self, image: ImageLike, *, timeout: float | None = None, **options: Unpack[ExplainOptions]
    ) -> bytes:
        """Draws where in an image the network saw a class.

        Args:
            image: as for `classify`.
            timeout: seconds for the whole call, retries included.
            options: see `ExplainOptions`.

        Returns:
            A PNG of the upright photo, at most 1,024 pixels long, under the class activation map;
            what the network did not see is darkened.

        Raises:
            ImageError: if it is the image's own fault.
            SenetClientError: for everything else, see `senet_client.errors`.
        """
        return self._run(self._explain_flow(self._encode(image), timeout, options))

    def models(self) -> list[LoadedModel]:
        """The models that the service has loaded.

        Raises:
            SenetClientError: if the request fails.
        """
        return self._run(self._models_flow())

    def model(self, name: str) -> ModelStatus:
        """One model that the service has loaded: versions, labels, split, the last changes.

        Raises:
            SenetClientError: if the request fails.
        """
        return self._run(status_flow(self._policy, name))

    def load(self, model: str, version: int | str, *, wait_seconds: float = 600) -> ModelStatus:
        """Loads a version of the service's repository; needs a key with the scope `admin`.

        It answers requests that ask for it, until `set_label` or `split` sends it others.

        Args:
            model: the model's name.
            version: its version.
            wait_seconds: how long to wait until it is ready.

        Raises:
            LoadRefused: if it cannot be loaded; the message says which step failed.
            LoadConflict: if it is loaded already, or another version is being loaded.
            SenetClientError: if the request fails.
        """
        return self._run(
            change_flow(self._policy, load_request(model, version, "load"), wait_seconds)
        )

    def unload(self, model: str, version: int | str, *, wait_seconds: float = 600) -> ModelStatus:
        """Unloads a version, and waits until its last request is answered.

        Raises:
            LoadConflict: if requests go to it that another version would have to answer.
            SenetClientError: if the request fails.
        """
        request = load_request(model, version, "unload")
        return self._run(change_flow(self._policy, request, wait_seconds))

    def set_label(self, model: str, label: str, version: int | str) -> ModelStatus:
        """Lets `stable` or `canary` point to a version that is ready.

        Raises:
            LoadConflict: if it is not ready.
            SenetClientError: if the request fails.
        """
        request = label_request(model, label, version)
        return self._run(change_flow(self._policy, request, 0))

    def split(self, model: str, weights: Mapping[str, int]) -> ModelStatus:
        """Divides the requests that are for no version: of 100, so many go to each.

        Raises:
            LoadConflict: if a version is not ready.
            InvalidParameter: if the weights do not sum to 100.
            SenetClientError: if the request fails.
        """
        return self._run(change_flow(self._policy, split_request(model, weights), 0))

    def class_gates(self, model: str, version: int | str, class_index: int) -> ClassGates:
        """What the gates of each SE block did over the photos of a class at the export.

        An image's `excitations` can be held against it.

        Args:
            model: the model's name.
            version: its version.
            class_index: the class's position among the model's outputs.

        Raises:
            OutputNotAvailable: if the export did not keep it.
            SenetClientError: if the request fails.
        """
        return self._run(self._class_gates_flow(model, version, class_index))

    def feedback(self, labels: Iterable[Label]) -> list[bool | SenetClientError]:
        """Says which classes images of earlier answers really have; needs the scope `feedback`.

        Args:
            labels: any number; each image's only once.

        Returns:
            For each label, in order, whether the answer was right, or the error that it alone has.

        Raises:
            FeedbackNotFound: if the service keeps no answers at all, or no such one for a single
                label.
            SenetClientError: if a request as a whole fails; labels before it are accepted.
        """
        return self._run(feedback_flow(self._policy, labels))

    def ready(self) -> bool:
        """Whether images may be sent now. Asks once.

        Raises:
            SenetClientError: if what answers is not the service, or its certificate is rejected.
        """
        return self._run(self._ready_flow())

    def _run(self, flow: Flow[T]) -> T:
        pool = self._pools.current()
        outcome: Outcome = None
        turn = False
        try:
            while True:
                try:
                    step = flow.send(outcome)
                except StopIteration as done:
                    result: T = done.value
                    return result
                outcome = None
                if isinstance(step, Turn):
                    turn = pool.turns.acquire(timeout=step.seconds)
                    outcome = None if turn else TimeoutError()
                elif isinstance(step, Pause):
                    self._sleep(step.seconds)
                else:
                    outcome = self._send(pool.http, step)
        finally:
            if turn:
                pool.turns.release()

    def _send(self, http: httpx.Client, step: Attempt) -> Outcome:
        try:
            response = http.send(self._request(http, step), stream=True)
            try:
                # Closed before it is read, a connection that mixes up answers is not used again.
                if not is_of_another(response, step.headers["x-request-id"]):
                    response.read()
            finally:
                response.close()
        except httpx.RequestError as error:
            return error
        except RuntimeError as error:  # httpx's own, of a client that was closed meanwhile
            closed = self._closed_error(http, error)
            if closed is None:
                raise
            raise closed from error
        return response
