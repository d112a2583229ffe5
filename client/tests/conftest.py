import asyncio
from collections.abc import Callable
from typing import Any, Protocol

import pytest

from senet_client import (
    AsyncClient,
    Batch,
    ClassGates,
    Classification,
    Client,
    LoadedModel,
    Result,
    Retry,
    Timeouts,
)
from senet_client.errors import SenetClientError
from tests.fake_service import FakeService, transport


class Clock:
    """Time that only passes in pauses."""

    def __init__(self) -> None:
        self.now = 100.0
        self.pauses: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds

    async def sleep_async(self, seconds: float) -> None:
        self.sleep(seconds)


class Surface(Protocol):
    """The surface of both clients, called the same way."""

    def classify(self, image: Any, **options: Any) -> Classification: ...
    def classify_batch(self, images: Any, **options: Any) -> Batch: ...
    def classify_many(self, images: Any, **options: Any) -> list[Result]: ...
    def models(self) -> list[LoadedModel]: ...
    def ready(self) -> bool: ...
    def class_gates(self, model: str, version: Any, class_index: Any) -> ClassGates: ...
    def feedback(self, labels: Any) -> list[bool | SenetClientError]: ...


class Blocking:
    def __init__(self, service: FakeService, time: Clock, **options: Any) -> None:
        self._client = Client(
            "http://fake", transport=transport(service), sleep=time.sleep, **options
        )

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def classify_many(self, images: Any, **options: Any) -> list[Result]:
        return list(self._client.classify_many(images, **options))


class Asynchronous:
    def __init__(self, service: FakeService, time: Clock, **options: Any) -> None:
        self._client = AsyncClient(
            "http://fake", transport=transport(service), sleep=time.sleep_async, **options
        )

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._client, name)

        def call(*args: Any, **options: Any) -> Any:
            return asyncio.run(method(*args, **options))

        return call

    def classify_many(self, images: Any, **options: Any) -> list[Result]:
        async def collect() -> list[Result]:
            return [result async for result in self._client.classify_many(images, **options)]

        return asyncio.run(collect())


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def service() -> FakeService:
    return FakeService()


@pytest.fixture
def retried() -> list[Retry]:
    return []


@pytest.fixture(params=[Blocking, Asynchronous], ids=["sync", "async"])
def make(
    request: pytest.FixtureRequest, service: FakeService, clock: Clock, retried: list[Retry]
) -> Callable[..., Surface]:
    """Makes a client of either kind, in front of the fake service, in time that stands still."""

    def make_client(**options: Any) -> Surface:
        options.setdefault("timeouts", Timeouts(total=60))
        client: Surface = request.param(
            service, clock, clock=clock, random=lambda: 1.0, on_retry=retried.append, **options
        )
        return client

    return make_client


@pytest.fixture
def client(make: Callable[..., Surface]) -> Surface:
    return make()


@pytest.fixture(autouse=True)
def no_api_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SENET_API_KEY", raising=False)
