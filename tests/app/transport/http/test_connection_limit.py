"""Whose connection makes way for whose."""

from app.transport.http.connection_limit import ConnectionLimit

PROXY = "10.0.0.1"


class Connection:
    """Remembers whether it made way."""

    def __init__(self) -> None:
        self.is_open = True

    def make_way(self) -> None:
        self.is_open = False


class Clients:
    """Opens connections, as many as a test likes."""

    def __init__(self, places: int, reserve: int = 2) -> None:
        self.limit = ConnectionLimit(
            places, reserve=reserve, is_proxy=lambda address: address == PROXY
        )

    def idle(self, address: str) -> Connection:
        connection = Connection()
        assert self.limit.open(connection, address)
        return connection

    def busy(self, address: str) -> Connection:
        connection = self.idle(address)
        self.limit.set_busy(connection)
        return connection

    def is_refused(self, address: str) -> bool:
        return not self.limit.open(Connection(), address)


def are_open(*connections: Connection) -> list[bool]:
    return [connection.is_open for connection in connections]


def test_one_address_gets_half_and_two_a_third_each() -> None:
    clients = Clients(12)
    for _ in range(6):
        clients.busy("192.0.2.1")
    assert clients.is_refused("192.0.2.1")
    for _ in range(3):
        clients.busy("192.0.2.2")
    assert clients.is_refused("192.0.2.2")
    clients.busy("192.0.2.3")


def test_a_newcomer_may_have_the_last_one() -> None:
    clients = Clients(4)
    for number in range(4):
        clients.busy(f"192.0.2.{number}")
    assert clients.is_refused("192.0.2.9")


def test_at_its_bound_an_address_gives_up_its_own_oldest_idle_one() -> None:
    clients = Clients(8)
    other = clients.idle("192.0.2.9")
    first = clients.busy("192.0.2.1")
    second, third, fourth = (clients.idle("192.0.2.1") for _ in range(3))
    clients.idle("192.0.2.1")
    assert are_open(other, first, second, third, fourth) == [True, True, False, True, True]


def test_idle_ones_of_others_count_as_free_and_the_oldest_makes_way() -> None:
    clients = Clients(4)
    idle = [clients.idle(f"192.0.2.{number}") for number in range(1, 4)]
    clients.busy("192.0.2.9")
    clients.limit.set_busy(idle[0])
    clients.limit.set_idle(idle[0])  # now the youngest
    clients.busy("192.0.2.9")
    assert are_open(*idle) == [True, False, True]


def test_a_proxy_may_have_all() -> None:
    clients = Clients(4)
    for _ in range(4):
        clients.busy(PROXY)
    assert clients.is_refused(PROXY)
    assert clients.is_refused("192.0.2.1")


def test_those_over_the_limit_share_a_small_reserve() -> None:
    clients = Clients(1, reserve=2)
    clients.busy("192.0.2.1")
    waiting = [Connection() for _ in range(4)]
    for connection in waiting:
        assert not clients.limit.open(connection, "192.0.2.2")
    assert are_open(*waiting) == [False, False, True, True]
    clients.limit.close(waiting[2])
    newcomer = Connection()
    assert not clients.limit.open(newcomer, "192.0.2.2")
    assert are_open(waiting[3], newcomer) == [True, True]


def test_what_is_closed_is_free_again() -> None:
    clients = Clients(2)
    for _ in range(50):
        connection = clients.busy("192.0.2.1")
        clients.limit.close(connection)
        clients.limit.close(connection)
        clients.limit.set_idle(connection)  # too late to matter
    clients.busy("192.0.2.1")
    clients.busy("192.0.2.2")


def test_an_ipv6_network_is_one_source() -> None:
    clients = Clients(4)
    for number in range(2):
        clients.busy(f"2001:db8:0:1::{number}")
    assert clients.is_refused("2001:db8:0:1:ffff::1")
    clients.busy("2001:db8:0:2::1")


def test_ipv4_addresses_on_an_ipv6_socket_are_told_apart() -> None:
    clients = Clients(8)
    for number in range(8):
        clients.busy(f"::ffff:192.0.2.{number}")
    assert clients.is_refused("::ffff:192.0.2.1")


def test_whoever_has_no_address_is_one_source() -> None:
    clients = Clients(2)
    clients.busy("")
    assert clients.is_refused("")
    clients.busy("fe80::1%eth0")
