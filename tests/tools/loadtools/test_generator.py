"""The load generator counts every answer once, whatever becomes of the connection."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from tools.loadtools.generator import BROKEN, Generator

IMAGE = b"x" * 1000
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"
REFUSED = b"HTTP/1.1 429 Too Many Requests\r\nretry-after: 1\r\nContent-Length: 4\r\n\r\nnone"
LAST = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}"
CUT = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{"


@dataclass
class FakeServer:
    """Gives request number n the answer that `answer(n)` says, in pieces; cut ones end with it.

    Attributes:
        port: on 127.0.0.1.
        bodies: of all requests so far.
        connections: opened so far.
    """

    answer: Callable[[int], bytes]
    port: int = 0
    bodies: int = 0
    connections: int = 0
    resident_mib: float = 1.0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                assert await reader.readexactly(len(IMAGE)) == IMAGE
                answer = self.answer(self.bodies)
                self.bodies += 1
                for piece in (answer[:20], answer[20:-1], answer[-1:]):
                    writer.write(piece)
                    await writer.drain()
                    await asyncio.sleep(0)
                if answer in (LAST, CUT):
                    break
        except asyncio.IncompleteReadError:
            pass  # the client is done
        finally:
            writer.close()


@asynccontextmanager
async def served(answer: Callable[[int], bytes]) -> AsyncIterator[FakeServer]:
    server = FakeServer(answer)
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.port = listener.sockets[0].getsockname()[1]
    async with listener:
        yield server


@pytest.mark.parametrize(
    ("answers", "statuses"),
    [
        ([OK], {200}),
        ([OK, REFUSED], {200, 429}),
        ([LAST], {200}),
        ([OK, CUT], {200, BROKEN}),
    ],
)
async def test_arrivals_are_answered_one_by_one(answers: list[bytes], statuses: set[int]) -> None:
    async with served(lambda number: answers[number % len(answers)]) as server:
        generator = Generator(server, [IMAGE])
        load = await generator.offer(rate=500, seconds=0.3)
        generator.close()
    assert load.offered == load.statuses.total() == server.bodies > 0
    assert set(load.statuses) == statuses
    assert len(load.latencies) == load.statuses[200]
    assert all(latency > 0 for _, latency in load.latencies)
    assert load.goodput > 0


async def test_waiting_clients_keep_their_connections() -> None:
    async with served(lambda _: OK) as server:
        generator = Generator(server, [IMAGE])
        load = await generator.closed(seconds=0.2, clients=3)
        generator.close()
    assert load.offered == load.statuses[200] == server.bodies > 3
    assert server.connections == 3


async def test_where_nobody_listens_everything_is_broken(free_port: int) -> None:
    load = await Generator(FakeServer(lambda _: OK, free_port), [IMAGE]).offer(200, 0.1)
    assert load.offered == load.statuses[BROKEN] > 0


async def test_a_hopeless_load_is_given_up_at_once() -> None:
    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()  # until the client has left
        writer.close()

    listener = await asyncio.start_server(hold, "127.0.0.1", 0)
    async with listener:
        server = FakeServer(lambda _: OK, listener.sockets[0].getsockname()[1])
        generator = Generator(server, [IMAGE])
        load = await generator.offer(rate=500, seconds=3600, hopeless=lambda load: load.offered > 2)
        generator.close()
    assert load.offered == load.statuses[BROKEN] == 3
