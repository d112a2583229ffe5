import pytest

from tools.bench.rounds import interleave, median_ratio


def test_contenders_take_turns() -> None:
    order: list[str] = []

    def measure(name: str) -> int:
        order.append(name)
        return len(order)

    results = interleave({"bare": lambda: measure("bare"), "ours": lambda: measure("ours")}, 3)

    assert order == ["bare", "ours"] * 3
    assert results == {"bare": [1, 3, 5], "ours": [2, 4, 6]}


def test_each_value_is_compared_with_the_same_rounds() -> None:
    # The machine was at half its speed in the second round; the ratio does not see it.
    assert median_ratio([90, 45, 80], [100, 50, 100]) == 0.9


@pytest.mark.parametrize(("values", "base"), [([], []), ([1.0], [1.0, 2.0])])
def test_rounds_must_match(values: list[float], base: list[float]) -> None:
    with pytest.raises(ValueError, match=r"rounds|zip"):
        median_ratio(values, base)
