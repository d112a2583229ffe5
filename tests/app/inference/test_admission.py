"""The door lets in what fits, and tells the rest when to come back."""

import asyncio

import pytest

from app.contract.errors import Overloaded
from app.inference.admission import Admission, Caller
from app.telemetry.metrics import Metrics
from tests.support.clock import Clock

ALICE, BOB = Caller("alice"), Caller("bob")


@pytest.fixture
def admission(metrics: Metrics, clock: Clock) -> Admission:
    return Admission(10, metrics, clock)


def rejected(metrics: Metrics, reason: str) -> float | None:
    return metrics.registry.get_sample_value("senet_rejected_total", {"reason": reason})


def test_admits_up_to_the_capacity(admission: Admission, metrics: Metrics) -> None:
    with admission.admit(ALICE, 6), admission.admit(BOB, 4):
        assert admission.inside == 10
        assert metrics.registry.get_sample_value("senet_images_in_flight") == 10
        with pytest.raises(Overloaded, match="10 of at most 10"):
            admission.check(Caller("carol"))
    assert admission.inside == 0
    assert metrics.registry.get_sample_value("senet_images_in_flight") == 0
    assert rejected(metrics, "capacity") == 1


def test_refuses_whole_requests_and_keeps_nothing_of_them(
    admission: Admission, metrics: Metrics
) -> None:
    with admission.admit(ALICE, 6):
        with pytest.raises(Overloaded), admission.admit(BOB, 5):
            pass
        assert admission.inside == 6
        assert rejected(metrics, "capacity") == 5
        admission.check(BOB, 4)


def test_one_caller_cannot_take_it_all(admission: Admission, metrics: Metrics) -> None:
    with admission.admit(ALICE, 5):
        with pytest.raises(Overloaded, match="has its share"):
            admission.check(ALICE)
        assert rejected(metrics, "share") == 1
        admission.check(BOB, 5)


def test_bulk_leaves_room_for_interactive_images(admission: Admission) -> None:
    with admission.admit(Caller("alice", "bulk"), 3), admission.admit(Caller("bob", "bulk"), 2):
        with pytest.raises(Overloaded):
            admission.check(Caller("carol", "bulk"))
        admission.check(Caller("carol"))


def test_a_failure_inside_frees_the_place(admission: Admission) -> None:
    with pytest.raises(ZeroDivisionError), admission.admit(ALICE, 3):
        raise ZeroDivisionError
    assert admission.inside == 0


def test_retry_after_follows_the_measured_rate(admission: Admission, clock: Clock) -> None:
    for _ in range(200):  # one image at a time, half a second each
        with admission.admit(ALICE, 1):
            clock.now += 0.5
        clock.now += 100  # idle time says nothing about the rate
    with admission.admit(ALICE, 10):
        with pytest.raises(Overloaded) as raised:
            admission.check(BOB)
        assert raised.value.retry_after_seconds == pytest.approx(10 * 0.5)
        clock.now += 1
    for _ in range(200):  # it speeds up
        with admission.admit(ALICE, 10):
            clock.now += 1
    with admission.admit(ALICE, 8):
        with pytest.raises(Overloaded) as raised:
            admission.check(BOB, 3)
        assert raised.value.retry_after_seconds == pytest.approx(8 * 0.1, rel=1e-3)


def test_side_by_side_images_count_by_their_common_rate(admission: Admission, clock: Clock) -> None:
    for _ in range(100):  # two at once for 1 s are two per second
        with admission.admit(ALICE, 1), admission.admit(BOB, 1):
            clock.now += 1
    with admission.admit(ALICE, 10):
        with pytest.raises(Overloaded) as raised:
            admission.check(BOB)
        assert raised.value.retry_after_seconds == pytest.approx(10 * 0.5, rel=0.1)


async def test_wait_empty(admission: Admission) -> None:
    await admission.wait_empty()
    with admission.admit(ALICE, 1):
        waiting = asyncio.create_task(admission.wait_empty())
        with admission.admit(BOB, 1):
            pass
        await asyncio.sleep(0)
        assert not waiting.done()
    await waiting


async def test_no_more_are_let_in_at_once_than_fit(admission: Admission) -> None:
    with admission.admit(ALICE, 4), admission.admit(BOB, 4):
        assert admission.knock(Caller("carol")) is None
        assert admission.knock(Caller("dave")) is None
        assert "no room for 1 more" in str(admission.knock(Caller("erin")))
        assert admission.inside == 8  # who knocks is not inside yet
        await asyncio.sleep(0)  # the event loop starts those that were let in
        assert admission.knock(Caller("erin")) is None


async def test_who_knocks_and_leaves_keeps_no_place(admission: Admission) -> None:
    assert admission.knock(ALICE) is None
    await asyncio.sleep(0)
    with admission.admit(BOB, 10):
        pass
    await admission.wait_empty()


def test_a_caller_that_does_not_wait_needs_as_much_room_as_it_was_refused(
    admission: Admission, clock: Clock
) -> None:
    with admission.admit(ALICE, 3):
        with pytest.raises(Overloaded), admission.admit(ALICE, 5):
            pass
        admission.check(ALICE)
        with pytest.raises(Overloaded, match="has its share") as raised:
            admission.check_door(ALICE)
        assert raised.value.early_seconds == 1
        admission.check_door(BOB)
        admission.check_door(Caller("alice", "bulk"))
        clock.advance(1)  # as long as Retry-After said
        admission.check_door(ALICE)
    with pytest.raises(Overloaded), admission.admit(ALICE, 11):
        pass
    with pytest.raises(Overloaded, match="no room for 11"):
        admission.check_door(ALICE)
    assert "no room for 11" in str(admission.knock(ALICE))


def test_a_caller_that_does_not_wait_comes_in_as_soon_as_there_is_room(
    admission: Admission,
) -> None:
    with admission.admit(ALICE, 3), pytest.raises(Overloaded), admission.admit(ALICE, 5):
        pass
    admission.check_door(ALICE)


def test_refusals_at_the_door_do_not_prolong_the_wait(admission: Admission, clock: Clock) -> None:
    with admission.admit(ALICE, 3):
        with pytest.raises(Overloaded), admission.admit(ALICE, 5):
            pass
        clock.advance(0.9)
        with pytest.raises(Overloaded):
            admission.check_door(ALICE)
        clock.advance(0.2)
        admission.check_door(ALICE)
