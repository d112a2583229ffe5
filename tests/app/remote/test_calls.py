"""Calls of a library that may hang."""

import threading

import pytest

from app.contract.errors import Draining
from app.remote.calls import Calls


def test_results_and_errors_come_back() -> None:
    calls = Calls()
    assert calls(lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        calls(lambda: 1 // 0)

    def late() -> None:
        raise TimeoutError("of the library")

    with pytest.raises(TimeoutError, match="of the library"):
        calls(late)


def test_a_call_that_hangs_is_given_up() -> None:
    over = threading.Event()
    with pytest.raises(TimeoutError, match=r"no answer within 0\.2 s"):
        Calls(answer_seconds=0.2)(over.wait)
    over.set()


def test_closing_gives_up_what_is_under_way_and_what_comes() -> None:
    calls, over, begun = Calls(), threading.Event(), threading.Event()

    def hang() -> None:
        begun.set()
        over.wait()

    def close() -> None:
        begun.wait()
        calls.close()

    closing = threading.Thread(target=close)
    closing.start()
    with pytest.raises(Draining):
        calls(hang)
    with pytest.raises(Draining):
        calls(lambda: 7)
    over.set()
    closing.join()
