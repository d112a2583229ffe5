"""Callers take turns."""

import pytest

from app.inference.priority import Turns


def test_callers_take_turns_and_each_row_keeps_its_order() -> None:
    turns: Turns[str] = Turns()
    for item in ("a1", "a2", "a3", "b1", "b2"):
        turns.push(item, item[0])
    turns.push("c1", "c")
    assert len(turns) == 6
    assert sorted(turns.heads()) == ["a1", "b1", "c1"]
    assert [turns.pop() for _ in range(6)] == ["a1", "b1", "c1", "a2", "b2", "a3"]
    assert not turns


def test_an_empty_queue_has_nothing() -> None:
    with pytest.raises(IndexError):
        Turns[str]().pop()
