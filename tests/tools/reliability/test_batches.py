"""What the overload run tells of batches."""

from collections import Counter

import httpx

from tests.support.colours import COLOURS
from tests.support.http import post_image
from tests.support.images import encode, photo
from tests.support.server import LiveServer
from tools.reliability.overload.batches import Batches

PICTURE = encode(photo(COLOURS[0]))


async def test_batches_are_those_since_an_earlier_moment(
    server: LiveServer, client: httpx.Client
) -> None:
    post_image(client, PICTURE)
    before = await Batches.so_far(server.port)
    assert before.since(before) == Batches(0, 0, 0, before.within - before.within)
    for _ in range(3):  # one after the other: each is a batch
        post_image(client, PICTURE)
    batches = (await Batches.so_far(server.port)).since(before)
    assert (batches.count, batches.images, batches.mean_size) == (3, 3, 1)
    assert 0 < batches.mean_ms <= batches.longest_ms


def test_the_longest_batch_is_in_the_first_bucket_that_holds_all() -> None:
    batches = Batches(4, 8, 0.2, Counter({0.01: 1, 0.05: 3, 0.1: 4, 0.25: 4}))
    assert batches.longest_ms == 100
    assert batches.mean_ms == 50
