"""The asyncio client."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from typing import Any, Self, TypeVar, Unpack

import httpx

from senet_client.base import BaseClient, build, only
from senet_client.flow import Flow, Outcome, Pause
from senet_client.images import ImageLike
from senet_client.requests import ClassifyOptions
from senet_client.results import Batch, Classification, LoadedModel, Result

T = TypeVar("T")


class AsyncClient(
    BaseClient[httpx.AsyncClient, httpx.AsyncBaseTransport, Callable[[float], Awaitable[None]]]
):
    """Classifies images over HTTP, for asyncio. `Client`, with `await`.

    Holds one pool of connections; close it with `close` or an `async with` block.

    The options are those of `BaseClient`.
    """

    def _open(self, **options: Any) -> httpx.AsyncClient:  # noqa: ANN401 - passed through
        return httpx.AsyncClient(**options)

    def _default_sleep(self) -> Callable[[float], Awaitable[None]]:
        return asyncio.sleep

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Closes the connections. The client cannot be used afterwards."""
        await self._http.aclose()

    async def classify(
        self,
        image: ImageLike,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - the deadline travels to the service
        **options: Unpack[ClassifyOptions],
    ) -> Classification:
        """See `Client.classify`."""
        return only(await self.classify_batch([image], timeout=timeout, **options))

    async def classify_batch(
        self,
        images: Sequence[ImageLike],
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - the deadline travels to the service
        **options: Unpack[ClassifyOptions],
    ) -> Batch:
        """See `Client.classify_batch`. Files are read in a thread."""
        encoded = await asyncio.to_thread(lambda: [self._encode(image) for image in images])
        return await self._run(self._batch_flow(encoded, timeout, options))

    async def classify_many(
        self,
        images: Iterable[ImageLike],
        *,
        concurrency: int = 4,
        timeout: float | None = None,  # noqa: ASYNC109 - the deadline travels to the service
        **options: Unpack[ClassifyOptions],
    ) -> AsyncGenerator[Result, None]:
        """See `Client.classify_many`. Files are read in a thread."""
        self._check_concurrency(concurrency)
        groups = self._groups(images)
        window: deque[asyncio.Task[list[Result]]] = deque()
        try:
            while (group := await asyncio.to_thread(next, groups, None)) is not None:
                flow = self._group_flow(group, timeout, options)
                window.append(asyncio.create_task(self._run(flow)))
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

    async def models(self) -> list[LoadedModel]:
        """See `Client.models`."""
        return await self._run(self._models_flow())

    async def ready(self) -> bool:
        """See `Client.ready`."""
        return await self._run(self._ready_flow())

    async def _run(self, flow: Flow[T]) -> T:
        outcome: Outcome = None
        while True:
            try:
                step = flow.send(outcome)
            except StopIteration as done:
                result: T = done.value
                return result
            if isinstance(step, Pause):
                await self._sleep(step.seconds)
                outcome = None
                continue
            try:
                async with asyncio.timeout(step.seconds_left):
                    outcome = await self._http.send(build(self._http, step))
            except (httpx.TransportError, TimeoutError) as error:
                outcome = error
