"""Functions run in threads for coroutines."""

import asyncio
import subprocess
import sys
import threading
from collections.abc import AsyncIterator

import pytest

from app.contract.errors import Draining
from app.inference.worker_threads import WorkerThreads
from tests.support.engines import Gate


@pytest.fixture
async def gate() -> AsyncIterator[Gate]:
    gate = Gate()
    yield gate
    gate.open()


@pytest.fixture
async def threads(gate: Gate) -> AsyncIterator[WorkerThreads]:
    """One thread. The gate's fixture opens it after the threads were told to end."""
    threads = WorkerThreads(1, "test")
    threads.start()
    yield threads
    threads.stop()


async def hold(threads: WorkerThreads, gate: Gate) -> "asyncio.Task[None]":
    """Occupies the one thread until the gate opens."""
    gate.close()
    task = asyncio.create_task(threads.run(gate.pass_through))
    await asyncio.to_thread(gate.wait_until_held)
    return task


async def test_the_result_comes_back_from_another_thread(threads: WorkerThreads) -> None:
    assert await threads.run(threading.get_ident) != threading.get_ident()


async def test_an_exception_is_the_callers_and_the_thread_lives_on(threads: WorkerThreads) -> None:
    with pytest.raises(ZeroDivisionError):
        await threads.run(lambda: 1 // 0)
    assert await threads.run(lambda: 7) == 7


async def test_interactive_overtakes_bulk_that_waits(threads: WorkerThreads, gate: Gate) -> None:
    order: list[str] = []
    held = await hold(threads, gate)
    async with asyncio.TaskGroup() as group:
        group.create_task(threads.run(lambda: order.append("bulk"), "bulk"))
        group.create_task(threads.run(lambda: order.append("interactive")))
        await asyncio.sleep(0)  # both are queued
        gate.open()
    await held
    assert order == ["interactive", "bulk"]


async def test_what_is_cancelled_before_its_turn_never_runs(
    threads: WorkerThreads, gate: Gate
) -> None:
    ran: list[str] = []
    held = await hold(threads, gate)
    left = asyncio.create_task(threads.run(lambda: ran.append("left")))
    await asyncio.sleep(0)
    left.cancel()
    gate.open()
    await held
    await threads.run(lambda: ran.append("stayed"))
    assert ran == ["stayed"]


async def test_stop_fails_what_waits_and_lets_go_what_runs(gate: Gate) -> None:
    threads = WorkerThreads(1, "test")
    threads.start()
    running = await hold(threads, gate)
    waiting = asyncio.create_task(threads.run(lambda: 1))
    await asyncio.sleep(0)
    threads.stop()
    with pytest.raises(Draining):
        await waiting
    with pytest.raises(Draining):
        await threads.run(lambda: 2)
    gate.open()
    await running


def test_a_process_that_forgets_to_stop_them_ends_all_the_same() -> None:
    program = (
        "from app.inference.worker_threads import WorkerThreads;"
        "threads = WorkerThreads(2, 'test'); threads.start()"
    )
    assert subprocess.run([sys.executable, "-c", program], timeout=60, check=False).returncode == 0
