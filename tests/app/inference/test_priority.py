"""Whose turn it is."""

import pytest

from app.inference.priority import PriorityQueue


def taken(queue: PriorityQueue[str]) -> list[str]:
    return [queue.pop(queue.turn()) for _ in range(len(queue))]


def test_each_kind_keeps_its_order_and_interactive_goes_first() -> None:
    queue: PriorityQueue[str] = PriorityQueue()
    for item in ("b1", "i1", "b2", "i2"):
        queue.push(item, "bulk" if item.startswith("b") else "interactive", "caller")
    assert sorted(queue.heads()) == ["b1", "i1"]
    assert taken(queue) == ["i1", "i2", "b1", "b2"]


def test_every_eighth_turn_is_bulks_while_both_wait() -> None:
    queue: PriorityQueue[str] = PriorityQueue()
    for index in range(20):
        queue.push(f"i{index}", "interactive", "caller")
        queue.push(f"b{index}", "bulk", "caller")
    kinds = "".join(item[0] for item in taken(queue)[:24])
    assert kinds == "iiiiiiib" * 2 + "iiiiiibb"


def test_turns_without_bulk_waiting_are_no_debt_to_it() -> None:
    queue: PriorityQueue[str] = PriorityQueue()
    for index in range(20):
        queue.push(f"i{index}", "interactive", "caller")
    assert [queue.pop(queue.turn()) for _ in range(10)] == [f"i{index}" for index in range(10)]
    queue.push("b0", "bulk", "caller")
    assert taken(queue)[:8] == [*(f"i{index}" for index in range(10, 17)), "b0"]


def test_an_empty_queue_has_nothing() -> None:
    queue: PriorityQueue[str] = PriorityQueue()
    assert not queue
    assert queue.waiting("bulk") == 0
    assert list(queue.heads()) == []
    with pytest.raises(IndexError):
        queue.turn()


def test_callers_take_turns() -> None:
    queue: PriorityQueue[str] = PriorityQueue()
    for item in ("a1", "a2", "a3", "b1", "c1", "b2"):
        queue.push(item, "interactive", item[0])
    assert sorted(queue.heads()) == ["a1", "b1", "c1"]
    assert taken(queue) == ["a1", "b1", "c1", "a2", "b2", "a3"]
