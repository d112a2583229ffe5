"""Contenders in turn, round after round, so that what disturbs a machine disturbs all of them."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

Result = TypeVar("Result")


def interleave(
    measures: Mapping[str, Callable[[], Result]], rounds: int
) -> dict[str, list[Result]]:
    """Measures each contender once a round.

    Args:
        measures: by contender, in the order of a round.
        rounds: how many.

    Returns:
        Each contender's results, one a round.
    """
    results: dict[str, list[Result]] = {name: [] for name in measures}
    for _ in range(rounds):
        for name, measure in measures.items():
            results[name].append(measure())
    return results


def median_ratio(values: Sequence[float], base: Sequence[float]) -> float:
    """The median of a contender's values, each divided by the base's of the same round.

    Raises:
        ValueError: if the numbers of rounds differ, or there is none.
    """
    if not values:
        raise ValueError("no rounds")
    return statistics.median(value / other for value, other in zip(values, base, strict=True))
