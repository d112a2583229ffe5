"""Whoever takes all connections takes neither the probes nor everybody else's."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from app.settings import Settings
from tests.support.colours import COLOURS
from tests.support.engines import FakeEngine, FakeEngines
from tests.support.http import RawConnection, assert_raw_problem, post_image, top_classes
from tests.support.images import encode, photo
from tests.support.metrics import value
from tests.support.server import LiveServer, running

PICTURE = encode(photo(COLOURS[3]))
GREEDY = "127.0.0.2"
BYSTANDER = "127.0.0.3"
CONNECTIONS = 6


@pytest.fixture
def live(make_settings: Callable[..., Settings]) -> Iterator[LiveServer]:
    with running(make_settings(max_connections=CONNECTIONS), FakeEngines()) as server:
        yield server


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def get(connection: RawConnection, path: str = "/livez") -> bytes:
    connection.send(f"GET {path} HTTP/1.1\r\nhost: x\r\n\r\n".encode())
    return connection.read_answer()


def answered(live: LiveServer, source: str, path: str = "/livez") -> bytes:
    with RawConnection(live.port, source) as connection:
        return get(connection, path)


def upload_slowly(live: LiveServer, stack: ExitStack, source: str) -> RawConnection:
    """A request that is being answered until its body comes."""
    connection = stack.enter_context(RawConnection(live.port, source))
    connection.send_head(
        "content-type: image/png", "expect: 100-continue", f"content-length: {len(PICTURE)}"
    )
    assert connection.read_interim().startswith(b"HTTP/1.1 100 ")
    return connection


def test_idle_connections_make_way(live: LiveServer, stack: ExitStack) -> None:
    held = []
    for _ in range(CONNECTIONS):
        held.append(stack.enter_context(RawConnection(live.port)))
        assert get(held[-1]).startswith(b"HTTP/1.1 200 ")
    with live.client() as client:
        assert top_classes(post_image(client, PICTURE)) == [3]
        assert held[0].is_closed_by_server()
        assert get(held[1]).startswith(b"HTTP/1.1 200 ")
        assert value(client, "senet_refused_connections_total", reason="idle") == 1


def test_connections_that_never_ask_make_way(live: LiveServer, stack: ExitStack) -> None:
    held = [stack.enter_context(RawConnection(live.port)) for _ in range(CONNECTIONS)]
    held[0].send(b"GET /livez HTTP/1.1\r\n")
    assert answered(live, BYSTANDER).startswith(b"HTTP/1.1 200 ")
    assert answered(live, BYSTANDER).startswith(b"HTTP/1.1 200 ")
    assert_raw_problem(held[0].read_answer(), 503, "too_many_connections")


def test_one_address_cannot_have_all(live: LiveServer, stack: ExitStack) -> None:
    for _ in range(CONNECTIONS // 2):
        upload_slowly(live, stack, GREEDY)
    answer = answered(live, GREEDY, "/models")
    assert_raw_problem(answer, 503, "too_many_connections")
    assert b"\r\nretry-after: 1\r\n" in answer
    assert answered(live, GREEDY).startswith(b"HTTP/1.1 200 ")
    assert answered(live, BYSTANDER, "/models").startswith(b"HTTP/1.1 200 ")
    with live.client() as client:
        reason = "too_many_connections"
        assert value(client, "senet_refused_connections_total", reason=reason) == 1
        assert value(client, "senet_requests_total", route="unmatched", status="503") == 1


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/startupz", "/metrics"])
def test_probes_are_answered_when_all_connections_are_taken(
    live: LiveServer, stack: ExitStack, path: str
) -> None:
    uploads = [upload_slowly(live, stack, "127.0.0.1") for _ in range(CONNECTIONS)]
    with RawConnection(live.port, BYSTANDER) as probe:
        answer = get(probe, path)
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert b"\r\nconnection: close\r\n" in answer
        assert probe.is_closed_by_server()
    assert_raw_problem(answered(live, BYSTANDER, "/models"), 503, "too_many_connections")
    for upload in uploads:
        upload.send(PICTURE)
        assert upload.read_answer().startswith(b"HTTP/1.1 200 ")
    assert answered(live, BYSTANDER, "/models").startswith(b"HTTP/1.1 200 ")


def test_silent_connections_do_not_take_the_reserve(live: LiveServer, stack: ExitStack) -> None:
    for _ in range(CONNECTIONS):
        upload_slowly(live, stack, "127.0.0.1")
    for _ in range(100):
        stack.enter_context(RawConnection(live.port, GREEDY))
    assert answered(live, BYSTANDER).startswith(b"HTTP/1.1 200 ")


def test_a_connection_with_a_waiting_answer_does_not_make_way(
    make_settings: Callable[..., Settings], stack: ExitStack
) -> None:
    engine = FakeEngine()
    with running(make_settings(max_connections=2), FakeEngines(engine)) as live:
        engine.gate.close()
        asking = stack.enter_context(RawConnection(live.port))
        asking.send_head("content-type: image/png", f"content-length: {len(PICTURE)}")
        asking.send(PICTURE)
        engine.gate.wait_until_held()
        for _ in range(5):
            assert answered(live, BYSTANDER).startswith(b"HTTP/1.1 200 ")
        engine.gate.open()
        assert asking.read_answer().startswith(b"HTTP/1.1 200 ")
