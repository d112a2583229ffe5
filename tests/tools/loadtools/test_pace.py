"""The rate of answers that come in bursts; times are made up."""

import pytest

from tools.loadtools.pace import pace

CLIENTS = 32


def bursts(each: int, *, every: float, first: float = 0.0, seconds: float = 4.0) -> list[float]:
    """The times of bursts of answers, each burst within a millisecond."""
    starts = [first + every * number for number in range(1000)]
    times = [start + 0.001 * place / each for start in starts for place in range(each)]
    return [time for time in times if time < seconds]


@pytest.mark.parametrize("first", [0.0, 0.1, 0.2, 0.3])
def test_a_burst_more_or_less_in_the_window_does_not_change_the_rate(first: float) -> None:
    # 46 a second; counted in 4 s, it would be 44 or 48.
    times = bursts(16, every=16 / 46, first=first)

    assert pace(times, 4, clients=CLIENTS) == pytest.approx(46, rel=0.001)


@pytest.mark.parametrize("first", [0.0, 0.4, 0.7])
def test_a_round_may_be_spread(first: float) -> None:
    # All clients are answered within a second, then none for 0.6 s.
    times = [
        first + 1.6 * cycle + place / CLIENTS for cycle in range(9) for place in range(CLIENTS)
    ]
    times = [time for time in times if time < 8]

    assert pace(times, 8, clients=CLIENTS) == pytest.approx(20, rel=0.02)


def test_threads_may_tell_their_times_one_after_the_other() -> None:
    times = bursts(8, every=0.2)

    assert pace(times[::2] + times[1::2], 4, clients=8) == pytest.approx(40, rel=0.001)


def test_a_lone_client_has_rounds_of_one() -> None:
    assert pace(bursts(1, every=0.01, first=0.007), 4, clients=1) == pytest.approx(100)


def test_a_server_that_stops_answering_is_not_as_fast_as_before() -> None:
    assert pace(bursts(8, every=0.05, seconds=2), 4, clients=8) == 80


@pytest.mark.parametrize("times", [[], [1.0], [1.0] * CLIENTS, [1.0] * 2 * CLIENTS])
def test_without_two_rounds_the_answers_are_counted(times: list[float]) -> None:
    assert pace(times, 4, clients=CLIENTS) == len(times) / 4
