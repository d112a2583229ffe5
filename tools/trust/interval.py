"""What coverage of new photos may be by chance."""

import math

_HALF = 0.005
"""Of 99 %, what lies outside on each side."""


def coverage_interval(fitted: int, judged: int, rank: int) -> tuple[float, float]:
    """The exact 99 % interval of the share of new photos whose true class is in their set.

    With thresholds at the `rank`-th of `fitted` nonconformities, their number is beta-binomial
    with parameters `rank` and `fitted + 1 - rank` (Angelopoulos and Bates 2021, section 3.2).

    Args:
        fitted: photos that the thresholds were fitted to.
        judged: new photos.
        rank: of the threshold, from 1.
    """
    below, low = 0.0, 0
    high = judged
    for covered in range(judged + 1):
        below += math.exp(_log_probability(covered, fitted, judged, rank))
        if below <= _HALF:
            low = covered + 1
        if below >= 1 - _HALF:
            high = covered
            break
    return low / judged, high / judged


def _log_probability(covered: int, fitted: int, judged: int, rank: int) -> float:
    a, b = rank, fitted + 1 - rank
    return (
        _log_choose(judged, covered)
        + _log_beta(covered + a, judged - covered + b)
        - _log_beta(a, b)
    )


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
