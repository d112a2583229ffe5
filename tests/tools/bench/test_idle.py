"""Waiting for what a server has left to do."""

import pytest

from tools.bench.idle import wait_until_idle


class Machine:
    """A clock, and a server that uses a core for the first `busy_seconds`."""

    def __init__(self, busy_seconds: float) -> None:
        self.now = 0.0
        self._busy_seconds = busy_seconds

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def processor_seconds(self) -> float:
        return min(self.now, self._busy_seconds)


@pytest.mark.parametrize("busy", [0.0, 0.1, 1.8, 7.0])
def test_the_next_measurement_waits_for_what_clients_have_left_behind(busy: float) -> None:
    machine = Machine(busy)
    assert wait_until_idle(machine.processor_seconds, clock=machine.clock, sleep=machine.sleep)
    assert busy <= machine.now < busy + 0.5


def test_a_server_that_never_ends_is_told() -> None:
    machine = Machine(1e9)
    assert not wait_until_idle(machine.processor_seconds, clock=machine.clock, sleep=machine.sleep)
    assert machine.now < 60
