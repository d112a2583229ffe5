"""How many answers a second, from the times at which they came."""

import statistics
from collections.abc import Sequence


def pace(times: Sequence[float], seconds: float, *, clients: int) -> float:
    """Answers a second, from the mean time of the first answer to each client to that of the last.

    Servers that compute batches answer in bursts. Two processes with batches of 8 may answer 16
    requests at once, twelve times in 4 s: whether the last burst falls within the window would
    change a mere count by a twelfth. As many answers as there are clients make a round, however
    the answers of one are spread.

    Args:
        times: seconds from the window's start; at least 0, less than `seconds`.
        seconds: the window's length.
        clients: that wait for an answer, each for one at a time.

    Returns:
        Answers a second: their number over the window's length where rounds cannot tell, which is
        if there was no more than one, or if the server paused, so that the two differ by more
        than a round.
    """
    counted = len(times) / seconds
    compared = min(clients, len(times) - clients)
    if compared < 1:
        return counted
    ordered = sorted(times)
    took = statistics.fmean(ordered[-compared:]) - statistics.fmean(ordered[:compared])
    if took <= 0:
        return counted
    rate = (len(times) - compared) / took
    return rate if abs(rate - counted) * seconds <= clients else counted
