"""The search finds what serves most, on a service that is a formula."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tools.tune.search import Options, Row, Search, Trial

SLO_MS = 100.0
CHOICES: dict[str, list[int | float | str]] = {
    "precision": ["int8", "fp32"],
    "inference_threads": [2, 1],
    "max_batch_size": [8, 1, 32],
}


class Formula:
    """A queue: the nearer the rate comes to the capacity, the longer the wait."""

    def __init__(self, options: Options, owner: "Formulas") -> None:
        self._options = options
        self._owner = owner

    def effective(self) -> Options:
        return {"precision": "int8", "inference_threads": 1}

    def capacity(self) -> float:
        return self._owner.capacity(self._options)

    def trial(self, rate: float) -> Trial:
        self._owner.trials += 1
        free = 1 - rate / self._owner.capacity(self._options)
        latency = self._owner.lone_ms / free if free > 0 else float("inf")
        return Trial(rate, latency)


class Formulas:
    """Services whose capacity is what `capacity` says of their options.

    Attributes:
        tried: the options of each that was started.
        trials: how many there were.
        trials_of: how many there were with each.
    """

    def __init__(self, capacity: Callable[[Options], float], *, lone_ms: float = 20) -> None:
        self.capacity = capacity
        self.lone_ms = lone_ms
        self.tried: list[Options] = []
        self.trials = 0
        self.trials_of: list[int] = []
        self._running = 0

    @contextmanager
    def running(self, options: Options) -> Iterator[Formula]:
        self.tried.append(options)
        self._running += 1
        assert self._running == 1, "two services would share the cores"
        before = self.trials
        try:
            yield Formula(options, self)
        finally:
            self._running -= 1
            self.trials_of.append(self.trials - before)


def of(name: str, **values: float) -> Callable[[Options], float]:
    """A capacity that depends on one option."""
    return lambda options: values.get(f"v{options.get(name)}", values["other"])


def search(
    formulas: Formulas, out_of_time: Callable[[], bool] = lambda: False
) -> tuple[Row, list[Row]]:
    rows: list[Row] = []
    found = Search(formulas, SLO_MS, CHOICES, out_of_time=out_of_time, report=rows.append).run()
    return found, rows


@pytest.mark.parametrize("capacity", [0.5, 40, 3000])
def test_the_rate_found_is_near_the_highest_possible(capacity: float) -> None:
    found, _ = search(Formulas(lambda options: capacity))
    assert found.best is not None
    highest = capacity * (1 - 20 / SLO_MS)
    assert 0.94 * highest <= found.best.rate <= highest
    assert found.best.p99_ms <= SLO_MS


@pytest.mark.parametrize(
    ("capacity", "name", "value"),
    [
        (of("precision", vfp32=200, other=100), "precision", "fp32"),
        (of("inference_threads", v2=200, other=100), "inference_threads", 2),
        (of("max_batch_size", v32=200, other=100), "max_batch_size", 32),
        (of("max_batch_size", v1=150, v32=200, other=100), "max_batch_size", 32),
    ],
)
def test_the_best_value_of_each_option_is_found(
    capacity: Callable[[Options], float], name: str, value: int | str
) -> None:
    found, rows = search(Formulas(capacity))
    expected = {"precision": "int8", "inference_threads": 1, "max_batch_size": 8} | {name: value}
    assert found.options == expected
    assert found.best is not None
    assert found.best.rate > 150
    assert rows[0].options == {"precision": "int8", "inference_threads": 1, "max_batch_size": 8}


def test_what_is_no_better_stays_and_is_out_after_one_trial() -> None:
    formulas = Formulas(lambda options: 100)
    found, rows = search(formulas)
    assert found is rows[0]
    assert [row.best for row in rows[1:]] == [None] * 4
    assert formulas.trials == formulas.trials_of[0] + 4


def test_an_objective_that_nothing_keeps() -> None:
    found, rows = search(Formulas(lambda options: 100, lone_ms=SLO_MS + 1))
    assert found.best is None
    assert len(rows) == 5


def test_an_objective_that_only_other_settings_keep() -> None:
    formulas = Formulas(lambda options: 100 if options.get("max_batch_size") == 1 else 0.001)
    found, _ = search(formulas)
    assert found.best is not None
    assert found.options["max_batch_size"] == 1
    assert found.best.rate > 70


def test_it_ends_when_time_is_up() -> None:
    formulas = Formulas(lambda options: 100)
    found, rows = search(formulas, lambda: formulas.trials >= 3)
    assert (formulas.trials, len(rows), len(formulas.tried)) == (3, 1, 1)
    assert found.best is not None
