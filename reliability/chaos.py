# ruff: noqa: T201 - the command tells its results
"""`python -m reliability.chaos`: good clients among all kinds of bad luck.

Clients that leave, stall, dawdle and send broken images, and an engine that raises now and then,
run beside good clients whose every answer is checked. In the end the service's own counts must
agree with the clients', nothing may be left over, and the service must be ready.
"""

import argparse
import asyncio
import base64
import json
import random
import sys
import time
import warnings
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from reliability.chaos_engine import FlakyEngines
from reliability.chaos_server import served
from reliability.client import Answer, Connection, head
from reliability.corpus import Case, corpus
from reliability.corpus.pictures import encode, picture
from reliability.service import is_ready, metrics

OCTETS = {"content-type": "application/octet-stream"}
_STATUSES = {"invalid_image": 422, "image_too_large": 422, "unsupported_image_format": 415}
_SLOW_MS = 1_500
_SETTLE_SECONDS = 10.0
_SCORE_TOLERANCE = 1e-2


@dataclass(slots=True)
class Tally:
    """What the clients counted.

    Attributes:
        statuses: answers by status.
        unanswered: requests whose sender left; the service may have answered them.
        checked: good images whose answer was right.
        failed: good images that a failing engine took down, with a typed error.
        wrong: what should not have happened.
    """

    statuses: Counter[int] = field(default_factory=Counter)
    unanswered: int = 0
    checked: int = 0
    failed: int = 0
    wrong: list[str] = field(default_factory=list)

    def expect(self, holds: bool, what: str) -> None:
        """Notes what went wrong, if it did."""
        if not holds:
            self.wrong.append(what)


class Clients:
    """All kinds of clients; each method is one request of one kind.

    Args:
        port: of the service.
        broken: images that cannot be classified.
    """

    def __init__(self, port: int, broken: list[Case]) -> None:
        self.tally = Tally()
        self._port = port
        self._broken = broken
        self._images = [encode(picture(90 + 10 * n, 80), "JPEG") for n in range(8)]
        self._truth: list[tuple[int, float]] = []

    async def learn(self) -> None:
        """Asks for the right answers while all is calm."""
        connection = Connection(self._port)
        for image in self._images:
            answer = await connection.request("/classify", image, OCTETS)
            self.tally.statuses[answer.status] += 1
            self._truth.append(_top(answer.json()["results"][0]))
        connection.close()

    async def good(self, connection: Connection, draw: random.Random) -> None:
        """One image, whose answer must be right, or the error of a failed engine."""
        number = draw.randrange(len(self._images))
        answer = await self._ask(connection, self._images[number], OCTETS)
        if answer.status == 500:
            self.tally.failed += 1
            self.tally.expect(answer.json()["code"] == "inference_failed", f"500 {answer.body!r}")
        elif answer.status == 200:
            self._check(number, answer.json()["results"][0])
        else:
            self.tally.expect(answer.status == 429, f"good: {answer.status} {answer.body!r}")

    async def mixed(self, connection: Connection, draw: random.Random) -> None:
        """A broken image between two good ones, which it must not touch."""
        numbers = [draw.randrange(len(self._images)) for _ in range(2)]
        broken = draw.choice(self._broken)
        images = [self._images[numbers[0]], broken.data, self._images[numbers[1]]]
        items = [{"data": base64.b64encode(image).decode()} for image in images]
        body = json.dumps({"images": items}).encode()
        answer = await self._ask(connection, body, {"content-type": "application/json"})
        if answer.status != 200:
            self.tally.expect(answer.status == 429, f"mixed: {answer.status} {answer.body!r}")
            return
        first, middle, last = answer.json()["results"]
        code = middle.get("error", {}).get("code", "prediction")
        self.tally.expect(code in broken.outcomes, f"{broken.name}: {code}")
        for number, result in zip(numbers, (first, last), strict=True):
            if "error" in result:
                self.tally.failed += 1
                self.tally.expect(result["error"]["code"] == "inference_failed", f"{result}")
            else:
                self._check(number, result)

    async def bad_image(self, connection: Connection, draw: random.Random) -> None:
        """A broken image alone."""
        case = draw.choice(self._broken)
        answer = await self._ask(connection, case.data, OCTETS)
        code = answer.json().get("code", "prediction")
        right = code in case.outcomes and answer.status == _STATUSES[code]
        self.tally.expect(right or answer.status == 429, f"{case.name}: {answer.status} {code}")

    async def leaves(self, _: Connection, draw: random.Random) -> None:
        """Sends a part of its body, or all of it, and is gone."""
        image = draw.choice(self._images)
        sent = image[: draw.choice((0, len(image) // 2, len(image)))]
        connection = Connection(self._port)
        await connection.send(head("/classify", len(image), OCTETS) + sent)
        await asyncio.sleep(draw.choice((0.0, 0.005, 0.05)))
        self.tally.unanswered += 1
        connection.close()

    async def slow_body(self, _: Connection, draw: random.Random) -> None:
        """Stalls in its body, and must get 408."""
        image = draw.choice(self._images)
        connection = Connection(self._port)
        await connection.send(head("/classify", len(image), OCTETS) + image[:100])
        answer = await connection.read_answer()
        self.tally.statuses[answer.status] += 1
        self.tally.expect(answer.status in (408, 429), f"slow body: {answer.status}")
        connection.close()

    async def slow_head(self, _: Connection, draw: random.Random) -> None:
        """Stalls in its request line or headers: 408, but no request that counts."""
        connection = Connection(self._port)
        whole = head("/classify", 10, OCTETS)
        await connection.send(whole[: draw.randrange(1, len(whole) - 4)])
        answer = await connection.read_answer()
        self.tally.expect(answer.status == 408, f"slow head: {answer.status}")
        connection.close()

    async def _ask(
        self, connection: Connection, body: bytes, headers: dict[str, str]
    ) -> Answer:  # fmt: skip
        answer = await connection.request("/classify", body, headers)
        self.tally.statuses[answer.status] += 1
        return answer

    def _check(self, number: int, result: dict[str, object]) -> None:
        (best, score), (expected, expected_score) = _top(result), self._truth[number]
        right = best == expected and abs(score - expected_score) <= _SCORE_TOLERANCE
        self.tally.expect(right, f"image {number}: class {best} at {score}, not {expected}")
        self.tally.checked += right


def _top(result: dict[str, object]) -> tuple[int, float]:
    predictions = result["predictions"]
    if not isinstance(predictions, list):
        raise TypeError("predictions are no list")
    return int(predictions[0]["class_index"]), float(predictions[0]["score"])


async def chaos(
    model_repository: Path, model: str, seconds: float, clients: int
) -> tuple[Tally, dict[str, int]]:
    """Runs it.

    Args:
        model_repository: where the model is.
        model: what to serve.
        seconds: how long.
        clients: how many at once.

    Returns:
        What the clients counted, with everything that went wrong, and how many requests there
        were of each kind.
    """
    engines = FlakyEngines()
    async with served(model_repository, model, engines, slow_ms=_SLOW_MS) as port:
        cases = corpus(bomb_bytes=100_000, flips=4, many_pixels=False)
        kinds = ("truncated/", "wrong header/", "other format/", "size/")
        broken = [c for c in cases if c.name.startswith(kinds) and len(c.data) > 1]
        visitors = Clients(port, broken)
        await visitors.learn()
        tasks_before = len(asyncio.all_tasks())
        engines.failing = True
        done = await _run(visitors, seconds, clients)
        engines.failing = False
        await _judge(visitors.tally, port, tasks_before)
        visitors.tally.expect(engines.failures > 0, "the engine never failed")
    return visitors.tally, dict(done)


async def _run(visitors: Clients, seconds: float, clients: int) -> Counter[str]:
    kinds: list[tuple[Callable[[Connection, random.Random], Awaitable[None]], int]] = [
        (visitors.good, 10), (visitors.mixed, 3), (visitors.bad_image, 3), (visitors.leaves, 3),
        (visitors.slow_body, 1), (visitors.slow_head, 1),
    ]  # fmt: skip
    done: Counter[str] = Counter()
    end = time.monotonic() + seconds

    async def client(seed: int) -> None:
        draw, connection = random.Random(seed), Connection(visitors._port)  # noqa: S311
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


def main() -> int:
    """Runs the command; the exit code is 1 if anything went wrong."""
    parser = argparse.ArgumentParser(prog="python -m reliability.chaos", description=__doc__)
    parser.add_argument("--seconds", type=float, default=180.0)
    parser.add_argument("--clients", type=int, default=24)
    parser.add_argument("--model-repository", type=Path, default=Path("models"))
    parser.add_argument("--model", default="imagenette")
    options = parser.parse_args()
    warnings.filterwarnings("ignore", module=r"PIL\.")
    tally, done = asyncio.run(
        chaos(options.model_repository, options.model, options.seconds, options.clients)
    )
    for kind, number in sorted(done.items()):
        print(f"{kind:12} {number:8}")
    print(f"statuses seen: {dict(sorted(tally.statuses.items()))}")
    print(f"good images answered rightly: {tally.checked}; with inference_failed: {tally.failed}")
    for what, number in Counter(tally.wrong).most_common(20):
        print(f"WRONG: {what} ({number} times)", file=sys.stderr)
    return 1 if tally.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
