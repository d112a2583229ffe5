"""The asyncio client."""

import asyncio
from collections import deque
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    Awaitable,
    Callable,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
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
from senet_client.errors import SenetClientError
from senet_client.feedback import Label, feedback_flow
from senet_client.flow import Attempt, Flow, Outcome, Pause, Turn
from senet_client.images import EncodedImage, ImageLike, several
from senet_client.outcomes import is_of_another
from senet_client.requests import ClassifyOptions, ExplainOptions
from senet_client.results import Batch, ClassGates, Classification, LoadedModel, Result

T = TypeVar("T")


class AsyncClient(
    BaseClient[
        httpx.AsyncClient,
        asyncio.Semaphore,
        httpx.AsyncBaseTransport,
        Callable[[float], Awaitable[None]],
    ]
):
    """Classifies images over HTTP, for asyncio. `Client`, with `await`.

    Holds one pool of connections in each process and event loop; close it with `close` or an
    `async with` block.

    The options are those of `BaseClient`.
    """

    _http_type = httpx.AsyncClient

    def _make_turns(self, count: int) -> asyncio.Semaphore:
        return asyncio.Semaphore(count)

    def _running_loop(self) -> asyncio.AbstractEventLoop | None:
        return asyncio._get_running_loop()

    def _default_sleep(self) -> Callable[[float], Awaitable[None]]:
        return asyncio.sleep

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Closes this event loop's connections. The client cannot be used afterwards.

        What results of `classify_many` that were left early still have under way is cancelled.
        """
        pool = self._pools.close()
        loop = asyncio.get_running_loop()
        left = [task for task in self._tasks if task.get_loop() is loop]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        if pool is not None and self._owns_http:
            await pool.http.aclose()

    async def classify(
        self,
        image: ImageLike,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - the deadline travels to the service
        **options: Unpack[ClassifyOptions],
    ) -> Classification:
        """See `Client.classify`."""
        return only(await self.classify_batch([image], timeout=timeout, **options))

    # One image is not a sequence of images, though a string is one of strings; see `Client`.
    @overload
    async def classify_batch(  # type: ignore[overload-overlap]
        self,
        images: str,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - likewise
        **options: Unpack[ClassifyOptions],
    ) -> None: ...
    @overload
    async def classify_batch(
        self,
        images: Sequence[ImageLike],
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - the deadline travels to the service
        **options: Unpack[ClassifyOptions],
    ) -> Batch: ...
    async def classify_batch(
        self,
        images: Sequence[ImageLike],
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - the deadline travels to the service
        **options: Unpack[ClassifyOptions],
    ) -> Batch | None:
        """See `Client.classify_batch`. Files are read in a thread."""
        listed = list(several(images))
        if all(isinstance(image, bytes) for image in listed):
            # Nothing to read, so no thread to wait for.
            encoded = [self._encode(image) for image in listed]
        else:
            encoded = await asyncio.to_thread(self._encode_all, listed)
        return await self._run(self._batch_flow(encoded, timeout, options))

    def _encode_all(self, images: Sequence[ImageLike]) -> list[EncodedImage]:
        return [self._encode(image) for image in images]

    # One image is not a sequence of images, though a string is one of strings; see `Client`.
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
        images: Iterable[ImageLike] | AsyncIterable[ImageLike],
        *,
        concurrency: int = 4,
        timeout: float | None = None,
        **options: Unpack[ClassifyOptions],
    ) -> AsyncGenerator[Result, None]: ...
    def classify_many(
        self,
        images: Iterable[ImageLike] | AsyncIterable[ImageLike],
        *,
        concurrency: int = 4,
        timeout: float | None = None,
        **options: Unpack[ClassifyOptions],
    ) -> AsyncGenerator[Result, None] | None:
        """See `Client.classify_many`. Files are read in a thread.

        `images` may also be asynchronous: an image is sent when its request is full, so that a
        slow source may want `images_per_request=1`. Leave the results before their end in a
        `contextlib.aclosing` block, or close the client: what is under way is cancelled then.
        """
        self._check_concurrency(concurrency)
        if isinstance(images, AsyncIterable):
            groups = self._async_groups(images)
        else:
            groups = _in_a_thread(self._groups(images))
        return self._many(groups, concurrency, timeout, options)

    async def _async_groups(self, images: AsyncIterable[ImageLike]) -> AsyncGenerator[Group, None]:
        grouping = self._grouping()
        async for image in images:
            if group := grouping.add(await asyncio.to_thread(self._encode_or_fail, image)):
                yield group
        if group := grouping.rest():
            yield group

    async def _many(
        self,
        groups: AsyncGenerator[Group, None],
        concurrency: int,
        timeout: float | None,  # noqa: ASYNC109 - the deadline travels to the service
        options: ClassifyOptions,
    ) -> AsyncGenerator[Result, None]:
        window: deque[asyncio.Task[list[Result]]] = deque()
        try:
            async for group in groups:
                flow = self._group_flow(group, timeout, options)
                window.append(self._task(flow))
                if len(window) >= concurrency:
                    for result in await window.popleft():
                        yield result
            while window:
                for result in await window.popleft():
                    yield result
        finally:
            for task in window:
                task.cancel()
            await asyncio.gather(*window, return_exceptions=True)
            await groups.aclose()

    def _task(self, flow: Flow[list[Result]]) -> asyncio.Task[list[Result]]:
        task = asyncio.create_task(self._run(flow))
        # Whoever leaves the results early without a word leaves tasks, which `close` ends.
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def explain(
        self,
        image: ImageLike,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - the deadline travels to the service
        **options: Unpack[ExplainOptions],
    ) -> bytes:
        """See `Client.explain`."""
        [encoded] = await asyncio.to_thread(self._encode_all, [image])
        return await self._run(self._explain_flow(encoded, timeout, options))

    async def models(self) -> list[LoadedModel]:
        """See `Client.models`."""
        return await self._run(self._models_flow())

    async def model(self, name: str) -> ModelStatus:
        """One model that the service has loaded: versions, labels, split, the last changes.

        Raises:
            SenetClientError: if the request fails.
        """
        return await self._run(status_flow(self._policy, name))

    async def load(
        self, model: str, version: int | str, *, wait_seconds: float = 600
    ) -> ModelStatus:
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
        return await self._run(
            change_flow(self._policy, load_request(model, version, "load"), wait_seconds)
        )

    async def unload(
        self, model: str, version: int | str, *, wait_seconds: float = 600
    ) -> ModelStatus:
        """Unloads a version, and waits until its last request is answered.

        Raises:
            LoadConflict: if requests go to it that another version would have to answer.
            SenetClientError: if the request fails.
        """
        request = load_request(model, version, "unload")
        return await self._run(change_flow(self._policy, request, wait_seconds))

    async def set_label(self, model: str, label: str, version: int | str) -> ModelStatus:
        """Lets `stable` or `canary` point to a version that is ready.

        Raises:
            LoadConflict: if it is not ready.
            SenetClientError: if the request fails.
        """
        request = label_request(model, label, version)
        return await self._run(change_flow(self._policy, request, 0))

    async def split(self, model: str, weights: Mapping[str, int]) -> ModelStatus:
        """Divides the requests that are for no version: of 100, so many go to each.

        Raises:
            LoadConflict: if a version is not ready.
            InvalidParameter: if the weights do not sum to 100.
            SenetClientError: if the request fails.
        """
        return await self._run(change_flow(self._policy, split_request(model, weights), 0))

    async def class_gates(self, model: str, version: int | str, class_index: int) -> ClassGates:
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
        return await self._run(self._class_gates_flow(model, version, class_index))

    async def feedback(self, labels: Iterable[Label]) -> list[bool | SenetClientError]:
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
        return await self._run(feedback_flow(self._policy, labels))

    async def ready(self) -> bool:
        """See `Client.ready`."""
        return await self._run(self._ready_flow())

    async def _run(self, flow: Flow[T]) -> T:
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
                    try:
                        async with asyncio.timeout(step.seconds):
                            turn = await pool.turns.acquire()
                    except TimeoutError as error:
                        outcome = error
                elif isinstance(step, Pause):
                    await self._sleep(step.seconds)
                else:
                    outcome = await self._send(pool.http, step)
        finally:
            if turn:
                pool.turns.release()

    async def _send(self, http: httpx.AsyncClient, step: Attempt) -> Outcome:
        try:
            async with asyncio.timeout(step.seconds_left):
                response = await http.send(self._request(http, step), stream=True)
                try:
                    # Closed before it is read, a connection that mixes up answers is not
                    # used again.
                    if not is_of_another(response, step.headers["x-request-id"]):
                        await response.aread()
                finally:
                    await response.aclose()
        except (httpx.RequestError, TimeoutError) as error:
            return error
        except RuntimeError as error:  # httpx's own, of a client that was closed meanwhile
            closed = self._closed_error(http, error)
            if closed is None:
                raise
            raise closed from error
        return response


async def _in_a_thread(groups: Iterator[Group]) -> AsyncGenerator[Group, None]:
    while (group := await asyncio.to_thread(next, groups, None)) is not None:
        yield group
