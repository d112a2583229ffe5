"""Clients of every kind, good, careless and hostile."""

import asyncio
import base64
import json
import random

from tools.loadtools.client import Answer, Connection, head
from tools.reliability.chaos.tally import Tally
from tools.reliability.corpus import Case
from tools.reliability.corpus.pictures import encode, picture

OCTETS = {"content-type": "application/octet-stream"}
_STATUSES = {"invalid_image": 422, "image_too_large": 422, "unsupported_image_format": 415}
_SCORE_TOLERANCE = 1e-2


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
        raise TypeError("predictions are not a list")
    return int(predictions[0]["class_index"]), float(predictions[0]["score"])
