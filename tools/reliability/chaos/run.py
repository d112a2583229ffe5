"""The run: clients for a while, then the judgement of what they and the service counted."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path

from app.engines.engine import Provider
from tools.loadtools.client import Connection
from tools.loadtools.operations import is_ready, metrics
from tools.reliability.chaos.clients import Clients
from tools.reliability.chaos.engine import FlakyEngines
from tools.reliability.chaos.server import served
from tools.reliability.chaos.tally import Tally
from tools.reliability.corpus import corpus

_SLOW_MS = 1_500
_SETTLE_SECONDS = 10.0


async def chaos(
    model_repository: Path,
    model: str,
    seconds: float,
    clients: int,
    provider: Provider = "cpu",
) -> tuple[Tally, dict[str, int]]:
    """Runs it.

    Args:
        model_repository: where the model is.
        model: what to serve.
        seconds: how long.
        clients: how many at once.
        provider: what runs the model.

    Returns:
        What the clients counted, with everything that went wrong, and how many requests there
        were of each kind.
    """
    engines = FlakyEngines(provider)
    async with served(model_repository, model, engines, slow_ms=_SLOW_MS) as port:
        cases = corpus(bomb_bytes=100_000, flips=4, many_pixels=False)
        kinds = ("truncated/", "wrong header/", "other format/", "size/")
        broken = [c for c in cases if c.name.startswith(kinds) and len(c.data) > 1]
        visitors = Clients(port, broken)
        await visitors.learn()
        tasks_before = len(asyncio.all_tasks())
        engines.failing = True
        done = await _run(visitors, port, seconds, clients)
        engines.failing = False
        await _judge(visitors.tally, port, tasks_before)
        visitors.tally.expect(engines.failures > 0, "the engine never failed")
    return visitors.tally, dict(done)


async def _run(visitors: Clients, port: int, seconds: float, clients: int) -> Counter[str]:
    kinds: list[tuple[Callable[[Connection, random.Random], Awaitable[None]], int]] = [
        (visitors.good, 10), (visitors.mixed, 3), (visitors.bad_image, 3), (visitors.leaves, 3),
        (visitors.slow_body, 1), (visitors.slow_head, 1),
    ]  # fmt: skip
    done: Counter[str] = Counter()
    end = time.monotonic() + seconds

    async def client(seed: int) -> None:
        draw, connection = random.Random(seed), Connection(port)  # noqa: S311
        while time.monotonic() < end:
            kind = draw.choices([kind for kind, _ in kinds], [share for _, share in kinds])[0]
            try:
                await kind(connection, draw)
            except OSError as error:
                visitors.tally.wrong.append(f"{kind.__name__}: no answer ({error})")
            done[kind.__name__] += 1
        connection.close()

    await asyncio.gather(*(client(seed) for seed in range(clients)))
    return done


async def _judge(tally: Tally, port: int, tasks_before: int) -> None:
    """Compares the service's counts with the clients', and looks for what is left over."""
    try:
        async with asyncio.timeout(_SETTLE_SECONDS):
            while len(asyncio.all_tasks()) > tasks_before or await _inside(port):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
    except TimeoutError:
        tally.wrong.append(f"left over: {len(asyncio.all_tasks()) - tasks_before} tasks")
    tally.expect(await is_ready(port), "not ready in the end")
    samples = await metrics(port)
    counted: Counter[int] = Counter()
    for (name, labels), value in samples.items():
        pairs = dict(labels)
        if name == "senet_requests_total" and pairs["route"] == "/classify":
            counted[int(pairs["status"])] += round(value)
    for status, number in tally.statuses.items():
        tally.expect(counted[status] >= number, f"{status}: {counted[status]} of {number} counted")
    # What the clients did not see are exactly the requests whose senders left.
    unseen = counted.total() - tally.statuses.total()
    tally.expect(unseen == tally.unanswered, f"{unseen} unseen, {tally.unanswered} left")


async def _inside(port: int) -> float:
    samples = await metrics(port)
    names = ("senet_images_in_flight", "senet_queue_depth")
    return sum(value for (name, _), value in samples.items() if name in names)
