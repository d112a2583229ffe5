"""A trial ends as soon as its objective cannot be kept any more."""

from collections import Counter

import pytest

from tools.loadtools.generator import BROKEN, Load
from tools.tune.service import Objective


def load(latencies_ms: list[float], *failures: int) -> Load:
    return Load(
        latencies=[(0.0, latency / 1000) for latency in latencies_ms],
        statuses=Counter({200: len(latencies_ms)}) + Counter(failures),
    )


@pytest.mark.parametrize(
    ("seen", "missed"),
    [
        (load([]), False),
        (load([9, 11, 9]), False),
        (load([11, 9, 11]), True),
        (load([9], 429), True),
        (load([9], BROKEN), True),
    ],
)
def test_one_may_be_late_and_none_may_fail(seen: Load, *, missed: bool) -> None:
    assert Objective(10, allowed_late=1).is_missed(seen) is missed


def test_late_ones_are_counted_once_however_often_it_is_asked() -> None:
    objective, seen = Objective(10, allowed_late=1), load([11])
    assert [objective.is_missed(seen) for _ in range(3)] == [False] * 3
    seen.latencies.append((0.0, 0.011))
    seen.statuses[200] += 1
    assert objective.is_missed(seen)
