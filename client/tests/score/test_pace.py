import asyncio

import pytest

from senet_client.score.pace import AutomaticPace, FixedPace, Slots


def settle(pace: AutomaticPace, *, workers: int, seconds: float, answers: int = 2000) -> set[int]:
    """Answers requests as a service with that many workers would; returns the last limits.

    Each worker takes `seconds` for a request; requests beyond the workers wait their turn.
    """
    limits: list[int] = []
    for _ in range(answers):
        waiting = max(1.0, pace.limit / workers)
        pace.answered(seconds * waiting)
        limits.append(pace.limit)
    return set(limits[-100:])


@pytest.mark.parametrize("workers", [1, 2, 8, 30])
def test_the_workers_are_kept_busy_with_a_short_queue(workers: int) -> None:
    limits = settle(AutomaticPace(), workers=workers, seconds=0.05)

    assert workers < min(limits)
    assert max(limits) <= workers + 5


def test_it_follows_when_others_take_part_of_the_service() -> None:
    pace = AutomaticPace()
    settle(pace, workers=16, seconds=0.05)

    limits = settle(pace, workers=4, seconds=0.05)

    assert max(limits) <= 9


def test_it_grows_again_when_they_leave() -> None:
    pace = AutomaticPace()
    settle(pace, workers=2, seconds=0.05)

    assert min(settle(pace, workers=16, seconds=0.05)) > 16


def test_a_refusal_halves_once_for_all_that_were_under_way() -> None:
    pace = AutomaticPace()
    settle(pace, workers=16, seconds=0.05)
    before = pace.limit

    for _ in range(before):
        pace.refused()

    assert pace.limit == before // 2


def test_the_limit_never_falls_below_one_nor_beyond_the_most() -> None:
    pace = AutomaticPace(most=3)
    assert settle(pace, workers=100, seconds=0.01) == {3}
    for _ in range(10):
        pace.refused()
        for _ in range(5):
            pace.answered(0.01 * (1 + pace.limit))
    assert pace.limit >= 1


def test_a_fixed_pace_stays() -> None:
    pace = FixedPace(7)
    pace.refused()
    pace.answered(99.0)

    assert pace.limit == 7


async def test_slots_follow_the_limit() -> None:
    limit = 2
    slots = Slots(lambda: limit)
    await slots.take()
    await slots.take()
    third = asyncio.create_task(slots.take())
    await asyncio.sleep(0)
    assert not third.done()

    limit = 1
    slots.free()
    await asyncio.sleep(0)
    assert not third.done()

    slots.free()
    await third
