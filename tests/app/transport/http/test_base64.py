"""Long base64 is decoded as short base64 is, and does not hold the event loop up."""

import asyncio
import base64

import numpy as np
import pytest

from app.contract.errors import MalformedRequest
from app.transport.http.base64_text import decode_base64
from app.transport.http.json_text import decode_image_aside

# Of several pieces, and none that ends where one does.
DATA = np.random.default_rng(0).integers(0, 256, 1_000_003, np.uint8).tobytes()
TEXT = base64.b64encode(DATA).decode()
PIECE = 2**18


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(TEXT, id="plain"),
        pytest.param(memoryview(TEXT.encode()), id="bytes"),
        pytest.param(memoryview(base64.encodebytes(DATA)), id="bytes in lines"),
        pytest.param(TEXT.rstrip("="), id="without padding"),
        pytest.param(base64.urlsafe_b64encode(DATA).decode(), id="URL-safe"),
        pytest.param(base64.encodebytes(DATA).decode(), id="in lines"),
        pytest.param(base64.encodebytes(DATA).decode().replace("\n", " \r\n"), id="and spaces"),
    ],
)
def test_long_texts(text: str | memoryview) -> None:
    assert decode_base64(text) == DATA


@pytest.mark.parametrize("pieces", [1, 2])
def test_a_text_that_ends_with_a_piece(pieces: int) -> None:
    data = DATA[: pieces * PIECE // 4 * 3]
    assert decode_base64(memoryview(base64.b64encode(data))) == data


@pytest.mark.parametrize("place", [0, PIECE - 4, PIECE - 1, PIECE, 3 * PIECE + 5])
@pytest.mark.parametrize("wrong", ["=", "?", "é"])
def test_what_does_not_belong_there_is_found_wherever_it_is(place: int, wrong: str) -> None:
    with pytest.raises(ValueError, match="base64"):
        decode_base64(TEXT[:place] + wrong + TEXT[place + 1 :])


def test_two_padded_texts_are_not_one() -> None:
    first = base64.b64encode(DATA[: PIECE // 4 * 3 - 1]).decode()
    assert len(first) == PIECE
    with pytest.raises(ValueError, match="padded where it does not end"):
        decode_base64(first + TEXT)


async def test_others_get_their_turn_meanwhile() -> None:
    long = TEXT[: len(TEXT) // 4 * 4 - 4] * 8
    decoding = asyncio.create_task(decode_image_aside(long, "data"))
    for _ in range(10):
        await asyncio.sleep(0)
    assert not decoding.done()
    assert len(await decoding) == len(long) // 4 * 3


async def test_errors_come_from_there_too() -> None:
    with pytest.raises(MalformedRequest, match="data: the character"):
        await decode_image_aside("?" + TEXT, "data")
