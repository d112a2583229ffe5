"""One pool of connections, and what becomes of it."""

import asyncio
import gc
import threading

import pytest

from senet_client import AsyncClient, Client
from tests.fake_service import FakeService, listening, url_of


class Connections:
    """Counts the connections that a service's threads see."""

    def __init__(self) -> None:
        self.service = FakeService(on_classify=lambda _: self.seen.add(threading.get_ident()))
        self.seen: set[int] = set()


def test_requests_share_connections() -> None:
    counted = Connections()
    with listening(counted.service) as server, Client(url_of(server)) as client:
        for number in range(5):
            client.classify(str(number).encode())

    assert len(counted.seen) == 1


def test_closing_closes_the_connections() -> None:
    with listening(FakeService()) as server:
        before = threading.active_count()
        with Client(url_of(server)) as client:
            client.classify(b"x")
            assert threading.active_count() == before + 1
        # The server's thread ends when its connection does.
        _join_connections(before)

        with pytest.raises(RuntimeError, match="closed"):
            client.classify(b"x")


async def test_closing_the_async_client_closes_the_connections() -> None:
    with listening(FakeService()) as server:
        before = threading.active_count()
        async with AsyncClient(url_of(server)) as client:
            await client.classify(b"x")
        await asyncio.to_thread(_join_connections, before + 1)

        with pytest.raises(RuntimeError, match="closed"):
            await client.classify(b"x")
    gc.collect()  # an unclosed socket would warn here, and warnings are errors


def _join_connections(count: int) -> None:
    for thread in threading.enumerate():
        if "process_request_thread" in thread.name:
            thread.join(10)
            assert not thread.is_alive()
    assert threading.active_count() <= count


async def test_results_may_be_left_before_their_end() -> None:
    with listening(FakeService()) as server:
        async with AsyncClient(url_of(server), images_per_request=1) as client:
            results = client.classify_many((str(n).encode() for n in range(1000)), concurrency=2)
            async for _ in results:
                break
            await results.aclose()

        assert len(asyncio.all_tasks()) == 1
