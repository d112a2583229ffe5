import pytest

from tools.bench.contenders import BARE_SAME_THREADS, SAME, SHIPPED
from tools.bench.goals import DEFAULT_MODEL, LARGE_MODEL, Goal, goals, table


def _find(found: list[Goal], start: str, contender: str) -> Goal:
    [goal] = [goal for goal in found if goal.what.startswith(start) and goal.contender == contender]
    return goal


def test_what_was_not_measured_is_neither_met_nor_missed() -> None:
    found = goals({}, vnni=True)

    assert {goal.met for goal in found} == {None}
    assert {row[-1] for row in table(found).rows} == {"not measured"}


@pytest.mark.parametrize(("vnni", "met"), [(True, False), (False, True)])
def test_more_is_asked_of_a_processor_with_vnni(*, vnni: bool, met: bool) -> None:
    found = goals({f"{LARGE_MODEL}/ratio/{SHIPPED}": 1.5}, vnni=vnni)

    assert _find(found, f"throughput of {LARGE_MODEL}", SHIPPED).met is met


@pytest.mark.parametrize(("served", "met"), [(10.9, True), (11.1, False)])
def test_a_lone_client_is_compared_with_the_same_work_alone(served: float, met: bool) -> None:
    figures = {
        f"{DEFAULT_MODEL}/lone_ms/{SAME}": served,
        f"{DEFAULT_MODEL}/lone_ms/{BARE_SAME_THREADS}": 10.0,
    }

    assert _find(goals(figures, vnni=True), f"{DEFAULT_MODEL}, lone client", SAME).met is met


def test_the_tail_is_compared_with_the_lone_latency() -> None:
    figures = {
        f"{DEFAULT_MODEL}/lone_ms/{SHIPPED}": 5.0,
        f"{DEFAULT_MODEL}/open_p99_ms/{SHIPPED}": 20.0,
    }

    goal = _find(goals(figures, vnni=True), f"{DEFAULT_MODEL}, p99", SHIPPED)

    assert (goal.measured, goal.met) == (4.0, False)
