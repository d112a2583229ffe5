"""The simulated queue agrees with what is known of it."""

import pytest

from tools.bench.queueing import response_seconds


def test_without_others_a_request_takes_its_service_alone() -> None:
    assert response_seconds(0.001, 10, 2, 0.99) == pytest.approx(0.2)


def test_the_mean_wait_of_one_server_is_pollaczeks() -> None:
    # M/D/1 at 70 %: the mean wait is rho / (2 (1 - rho)) services. Its quantiles average to it.
    shares = [(index + 0.5) / 40 for index in range(40)]
    times = [response_seconds(0.7, 1, 1, share, arrivals=50_000) for share in shares]

    assert sum(times) / len(times) == pytest.approx(1 + 0.7 / 0.6, rel=0.05)


def test_more_servers_of_the_same_capacity_take_longer_but_wait_less() -> None:
    one, four = (response_seconds(0.7, 1, servers, 0.99) for servers in (1, 4))

    assert four - 4 < one - 1


def test_a_queue_that_grows_without_end_has_no_quantile() -> None:
    with pytest.raises(ValueError, match="10 a second are more than 10"):
        response_seconds(10, 10, 2, 0.5)
