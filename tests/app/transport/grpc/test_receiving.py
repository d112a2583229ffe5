"""Messages that come in are bounded in memory and time, and shared fairly between addresses."""

import asyncio
import gc
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, cast

import numpy as np
import pytest
from grpc.aio import EOF

from app.contract.errors import BodyTimeout, MalformedRequest, Overloaded
from app.inference.memory import Memory
from app.settings import Settings
from app.telemetry.metrics import Metrics
from app.transport.grpc.calls import Context
from app.transport.grpc.protocol import open_inference_pb2 as protocol
from app.transport.grpc.receiving import Receiver, small_receiver
from tests.support.colours import COLOURS
from tests.support.engines import FakeEngine, FakeEngines
from tests.support.grpc_client import GrpcClient, encoded_request, refusal
from tests.support.images import encode, photo
from tests.support.server import running

SIZE = 1000


class Sender:
    """A call whose message comes when the test says so."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self._come: asyncio.Future[object] = asyncio.get_running_loop().create_future()

    def come(self, message: object = b"photo") -> None:
        self._come.set_result(message)

    async def read(self) -> object:
        self.asked.set()
        return await self._come


def receiver(*, messages: int, max_calls: int = 100, seconds: float = 30.0) -> Receiver:
    memory = Memory(messages * SIZE, Metrics())
    return Receiver(memory, max_bytes=SIZE, max_calls=max_calls, seconds=seconds)


def receive(receiver: Receiver, address: str = "192.0.2.1") -> tuple[Sender, "asyncio.Task[bytes]"]:
    sender = Sender()
    context = cast("Context", cast("Any", sender))
    return sender, asyncio.create_task(receiver.receive(context, address))


async def test_a_message() -> None:
    sender, task = receive(receiver(messages=4))
    sender.come()
    assert await task == b"photo"


async def test_one_address_waits_where_another_is_taken_in() -> None:
    receiving = receiver(messages=4)
    first, second, third = (receive(receiving) for _ in range(3))
    await first[0].asked.wait()
    await second[0].asked.wait()
    other, done = receive(receiving, "192.0.2.2")
    await other.asked.wait()
    assert not third[0].asked.is_set()
    for sender in (first[0], second[0], other):
        sender.come()
    await asyncio.gather(first[1], second[1], done)
    third[0].come()
    assert await third[1] == b"photo"


async def test_one_for_which_there_is_no_room_is_refused_in_time() -> None:
    receiving = receiver(messages=1, seconds=0.1)
    slow, task = receive(receiving)
    await slow.asked.wait()
    _, refused = receive(receiving, "192.0.2.2")
    with pytest.raises(BodyTimeout):
        await task
    with pytest.raises(Overloaded):
        await refused
    sender, done = receive(receiving)
    sender.come()
    assert await done == b"photo"


async def test_no_message() -> None:
    sender, task = receive(receiver(messages=4))
    sender.come(EOF)
    with pytest.raises(MalformedRequest):
        await task


async def test_only_so_many_wait() -> None:
    receiving = receiver(messages=4, max_calls=4)
    waiting = [receive(receiving) for _ in range(2)]
    await waiting[1][0].asked.wait()
    _, refused = receive(receiving)
    with pytest.raises(Overloaded):
        await refused
    for sender, _ in waiting:
        sender.come()
    await asyncio.gather(*(task for _, task in waiting))


async def test_a_cancelled_call_gives_its_room_back() -> None:
    receiving = receiver(messages=1)
    sender, task = receive(receiving)
    await sender.asked.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    sender, task = receive(receiving)
    sender.come()
    assert await task == b"photo"


async def test_small_messages_have_room_of_their_own() -> None:
    small = small_receiver(max_bytes=SIZE, max_calls=8)
    sender, task = receive(small)
    sender.come()
    assert await task == b"photo"


def test_a_refused_message_is_forgotten_at_once(make_settings: Callable[..., Settings]) -> None:
    size = 4 << 20
    junk = encoded_request([b"x" * size])
    malformed = protocol.ModelInferRequest(raw_input_contents=[b"x" * size])
    picture = encoded_request([encode(photo(COLOURS[3]))])
    engine = FakeEngine()
    settings = make_settings(
        grpc_port=0, max_queue_size=1, max_batch_size=1, max_images_per_request=1
    )
    with (
        running(settings, FakeEngines(engine)) as live,
        GrpcClient(live.grpc_port) as client,
        ThreadPoolExecutor(1) as threads,
    ):
        held = []
        codes = []
        gc.disable()
        tracemalloc.start()
        try:
            for request in (junk, malformed):
                codes += [refusal(partial(client.infer, request))[1] for _ in range(8)]
                held.append(tracemalloc.get_traced_memory()[0])
            engine.gate.close()
            first = threads.submit(client.infer, picture)
            engine.gate.wait_until_held()
            codes += [refusal(partial(client.infer, junk))[1] for _ in range(8)]
            held.append(tracemalloc.get_traced_memory()[0])
            engine.gate.open()
            first.result()
        finally:
            tracemalloc.stop()
            gc.enable()
    assert (
        codes == ["unsupported_image_format"] * 8 + ["malformed_request"] * 8 + ["overloaded"] * 8
    )
    # Less than three of each eight.
    assert np.diff([0, *held]).max() < 3 * size
