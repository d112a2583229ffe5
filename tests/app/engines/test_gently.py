"""Work that gives way to what serves."""

import os
import threading

import pytest

from app.engines.gently import Pauses, gently
from tests.support.clock import Clock


def niceness() -> int:
    return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())


def test_work_has_a_lower_priority_and_the_caller_keeps_its_own() -> None:
    before = niceness()
    assert gently(niceness) == min(19, before + 10)
    assert niceness() == before


def test_an_error_comes_back() -> None:
    with pytest.raises(ZeroDivisionError):
        gently(lambda: 1 // 0)


def test_work_in_python_pauses_after_each_turn() -> None:
    clock = Clock()
    pauses: list[float] = []
    pause = Pauses(clock, pauses.append)
    for _ in range(40):
        clock.advance(0.0001)
        pause()
    assert len(pauses) == 10
    assert sum(pauses) > 40 * 0.0001  # others have most of the time
