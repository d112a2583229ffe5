import pytest

from tools.bench.goals import DEFAULT_MODEL, LARGE_MODEL, Goal, goals, table
from tools.bench.lineup import SAME, SHIPPED


def _find(found: list[Goal], start: str, contender: str) -> Goal:
    [goal] = [goal for goal in found if goal.what.startswith(start) and goal.contender == contender]
    return goal


def test_what_was_not_measured_is_neither_met_nor_missed() -> None:
    found = goals({})

    assert {goal.met for goal in found} == {None}
    assert {row[-1] for row in table(found).rows} == {"not measured"}


@pytest.mark.parametrize(
    ("figure", "contender", "start", "good", "bad"),
    [
        (f"{LARGE_MODEL} int8/to_mosec", SAME, f"{LARGE_MODEL} int8, throughput", 1.0, 0.99),
        (f"{LARGE_MODEL} fp32/to_mosec", SHIPPED, f"{LARGE_MODEL} fp32, throughput", 1.5, 1.49),
        (f"{LARGE_MODEL} fp32/lone_to_plain", SAME, f"{LARGE_MODEL} fp32, lone client, t", 1, 1.1),
        (f"{LARGE_MODEL} int8/lone_added_ms", SAME, f"{LARGE_MODEL} int8, lone client, a", 0.6, 1),
        (f"{DEFAULT_MODEL} fp32/goodput", SHIPPED, f"{DEFAULT_MODEL}, goodput", 0.95, 0.94),
        (f"{LARGE_MODEL} fp32/open_p99_to_queue", SHIPPED, f"{LARGE_MODEL} fp32, p99", 1.5, 1.6),
        (f"{LARGE_MODEL} fp32/memory_mib", SAME, f"{LARGE_MODEL} fp32, resident", 320, 330),
        (f"{DEFAULT_MODEL} fp32/start_s", SHIPPED, f"{DEFAULT_MODEL} fp32, start", 0.7, 0.8),
    ],
)  # fmt: skip
def test_a_goal_is_met_up_to_its_limit(
    figure: str, contender: str, start: str, good: float, bad: float
) -> None:
    if "to_mosec" in figure:
        start += " with 32 clients, to mosec"
    met = [
        _find(goals({f"{figure}/{contender}": value}), start, contender).met
        for value in (good, bad)
    ]

    assert met == [True, False]


def test_every_figure_that_is_measured_counts_for_one_goal_only() -> None:
    found = goals({})

    assert len({(goal.what, goal.contender) for goal in found}) == len(found)
