"""What fits is admitted, and the rest is told when to come back."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from app.contract.errors import Draining, Overloaded
from app.inference.admission import Admission, Caller
from app.telemetry.metrics import Metrics
from tests.support.clock import Clock

ALICE, BOB = Caller("alice"), Caller("bob")


@pytest.fixture
def admission(metrics: Metrics, clock: Clock) -> Admission:
    return Admission(10, metrics, clock)


@contextmanager
def admitted(admission: Admission, caller: Caller, images: int) -> Iterator[None]:
    """So many images of a caller, for the length of a `with` block."""
    admission.admit(caller, images)
    try:
        yield
    finally:
        admission.release(caller, images)


def fits(admission: Admission, caller: Caller, images: int = 1) -> None:
    """Raises what admitting them would."""
    with admitted(admission, caller, images):
        pass


def rejected(metrics: Metrics, reason: str) -> float | None:
    return metrics.registry.get_sample_value("senet_rejected_total", {"reason": reason})


def test_admits_up_to_the_capacity(admission: Admission, metrics: Metrics) -> None:
    with admitted(admission, ALICE, 6), admitted(admission, BOB, 4):
        assert admission.in_flight == 10
        assert metrics.registry.get_sample_value("senet_images_in_flight") == 10
        with pytest.raises(Overloaded, match="10 of 10 places"):
            fits(admission, Caller("carol"))
    assert admission.in_flight == 0
    assert metrics.registry.get_sample_value("senet_images_in_flight") == 0
    assert rejected(metrics, "capacity") == 1


def test_refuses_whole_requests_and_keeps_nothing_of_them(
    admission: Admission, metrics: Metrics
) -> None:
    with admitted(admission, ALICE, 6):
        with pytest.raises(Overloaded), admitted(admission, BOB, 5):
            pass
        assert admission.in_flight == 6
        assert rejected(metrics, "capacity") == 5
        fits(admission, BOB, 4)


def test_one_caller_cannot_take_it_all(admission: Admission, metrics: Metrics) -> None:
    with admitted(admission, ALICE, 5):
        with pytest.raises(Overloaded, match="has its share"):
            fits(admission, ALICE)
        assert rejected(metrics, "share") == 1
        fits(admission, BOB, 5)


def test_bulk_leaves_room_for_interactive_images(admission: Admission) -> None:
    with (
        admitted(admission, Caller("alice", "bulk"), 3),
        admitted(admission, Caller("bob", "bulk"), 2),
    ):
        with pytest.raises(Overloaded):
            fits(admission, Caller("carol", "bulk"))
        fits(admission, Caller("carol"))


def test_a_failure_inside_frees_the_place(admission: Admission) -> None:
    with pytest.raises(ZeroDivisionError), admitted(admission, ALICE, 3):
        raise ZeroDivisionError
    assert admission.in_flight == 0


def test_retry_after_follows_the_measured_rate(admission: Admission, clock: Clock) -> None:
    for _ in range(200):  # one image at a time, half a second each
        with admitted(admission, ALICE, 1):
            clock.now += 0.5
        clock.now += 100  # idle time says nothing about the rate
    with admitted(admission, ALICE, 10):
        with pytest.raises(Overloaded) as raised:
            fits(admission, BOB)
        assert raised.value.retry_after_seconds == pytest.approx(10 * 0.5)
        clock.now += 1
    for _ in range(200):  # it speeds up
        with admitted(admission, ALICE, 10):
            clock.now += 1
    with admitted(admission, ALICE, 8):
        with pytest.raises(Overloaded) as raised:
            fits(admission, BOB, 3)
        assert raised.value.retry_after_seconds == pytest.approx(8 * 0.1, rel=1e-3)


def test_side_by_side_images_count_by_their_common_rate(admission: Admission, clock: Clock) -> None:
    for _ in range(100):  # two at once for 1 s are two per second
        with admitted(admission, ALICE, 1), admitted(admission, BOB, 1):
            clock.now += 1
    with admitted(admission, ALICE, 10):
        with pytest.raises(Overloaded) as raised:
            fits(admission, BOB)
        assert raised.value.retry_after_seconds == pytest.approx(10 * 0.5, rel=0.1)


async def test_wait_empty(admission: Admission) -> None:
    await admission.wait_empty()
    with admitted(admission, ALICE, 1):
        waiting = asyncio.create_task(admission.wait_empty())
        with admitted(admission, BOB, 1):
            pass
        await asyncio.sleep(0)
        assert not waiting.done()
    await waiting


async def test_no_more_pass_at_once_than_can_be_admitted(admission: Admission) -> None:
    with admitted(admission, ALICE, 4), admitted(admission, BOB, 4):
        admission.expect(Caller("carol"))
        admission.expect(Caller("dave"))
        with pytest.raises(Overloaded, match="10 of 10 places"):
            admission.expect(Caller("erin"))
        assert admission.in_flight == 8  # who is expected is not in flight yet
        await asyncio.sleep(0)  # the event loop runs those that passed
        admission.expect(Caller("erin"))


async def test_who_is_expected_does_not_stand_in_its_own_way(admission: Admission) -> None:
    with admitted(admission, ALICE, 4), admitted(admission, BOB, 4):
        admission.expect(Caller("carol"))
        with admitted(admission, Caller("carol"), 2):  # in the same turn of the loop
            assert admission.in_flight == 10


async def test_who_is_expected_and_does_not_come_keeps_no_place(admission: Admission) -> None:
    admission.expect(ALICE)
    await asyncio.sleep(0)
    with admitted(admission, BOB, 10):
        pass
    await admission.wait_empty()


async def test_a_closed_admission_refuses_everybody(admission: Admission) -> None:
    with admitted(admission, ALICE, 1):
        admission.close(lambda: Draining("the service is shutting down"))
        with pytest.raises(Draining):
            admission.expect(BOB)
        with pytest.raises(Draining):
            admission.admit(BOB, 1)
        assert admission.in_flight == 1
    await admission.wait_empty()
