"""Work that gives way to what serves."""

import os
import threading

import pytest

from app.engines.gently import gently


def niceness() -> int:
    return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())


def test_work_has_a_lower_priority_and_the_caller_keeps_its_own() -> None:
    before = niceness()
    assert gently(niceness) == min(19, before + 10)
    assert niceness() == before


def test_an_error_comes_back() -> None:
    with pytest.raises(ZeroDivisionError):
        gently(lambda: 1 // 0)
