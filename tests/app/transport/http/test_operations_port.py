"""The second port answers probes and scrapes alone, and closes last."""

from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from app.cli.keys import add_key
from app.settings import Settings
from tests.support.colours import COLOURS
from tests.support.engines import FakeEngine, FakeEngines
from tests.support.http import RawConnection, assert_problem, post_image
from tests.support.images import encode, photo
from tests.support.server import LiveServer, running
from tests.support.waiting import BOUND_SECONDS, eventually

PICTURE = encode(photo(COLOURS[3]))


@pytest.fixture
def live(make_settings: Callable[..., Settings]) -> Iterator[LiveServer]:
    with running(make_settings(operations_port=0), FakeEngines()) as server:
        yield server


def operations(live: LiveServer) -> httpx.Client:
    url = f"http://127.0.0.1:{live.operations_port}"
    return httpx.Client(base_url=url, timeout=BOUND_SECONDS, trust_env=False)


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/startupz", "/metrics"])
def test_probes_and_metrics_answer_at_both(live: LiveServer, path: str) -> None:
    with operations(live) as second, live.client() as first:
        for client in (first, second):
            response = client.get(path)
            assert response.status_code == 200
            assert "date" in response.headers
            assert client.head(path).status_code == 200


@pytest.mark.parametrize("path", ["/", "/models", "/docs", "/openapi.json", "/livez/", "//livez"])
def test_nothing_else_does(live: LiveServer, path: str) -> None:
    with operations(live) as client:
        problem = assert_problem(client.get(path), 404, "not_found")
        assert "/livez, /readyz, /startupz, /metrics" in problem["detail"]


def test_no_image_is_taken(live: LiveServer) -> None:
    with operations(live) as client:
        assert_problem(post_image(client, PICTURE), 404, "not_found")
        assert_problem(client.post("/livez", content=b"x"), 404, "not_found")


def test_keys_are_asked_for_as_on_the_main_port(
    make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    keys = tmp_path / "keys.json"
    add_key(keys, "shop", ["classify"])
    settings = make_settings(operations_port=0, open_operations=False, api_keys_file=keys)
    with running(settings, FakeEngines()) as live, operations(live) as client:
        assert_problem(client.get("/metrics"), 401, "unauthenticated")


def test_it_says_not_ready_until_the_last_answer_is_out(
    make_settings: Callable[..., Settings],
) -> None:
    engine = FakeEngine()
    with running(make_settings(operations_port=0), FakeEngines(engine)) as live:
        engine.gate.close()
        with RawConnection(live.port) as asking, operations(live) as client:
            asking.send_head("content-type: image/png", f"content-length: {len(PICTURE)}")
            asking.send(PICTURE)
            engine.gate.wait_until_held()
            live.begin_drain()
            eventually(lambda: client.get("/readyz").status_code == 503)
            assert client.get("/livez").status_code == 200
            assert client.get("/metrics").status_code == 200
            engine.gate.open()
            assert asking.read_answer().startswith(b"HTTP/1.1 200 ")
        live.join()


def test_it_answers_while_the_main_port_waits_for_a_slow_reader(
    make_settings: Callable[..., Settings],
) -> None:
    with running(make_settings(operations_port=0), FakeEngines()) as live:
        with RawConnection(live.port) as slow, operations(live) as client:
            # The body is on its way: its connection ends the drain by two seconds.
            slow.send_head("content-type: image/png", f"content-length: {len(PICTURE)}")
            eventually(lambda: live.connections == 1)
            live.begin_drain()
            eventually(lambda: is_refused(live.port))
            assert_problem(client.get("/readyz"), 503, "draining")
        live.join()


def is_refused(port: int) -> bool:
    try:
        RawConnection(port).close()
    except ConnectionRefusedError:
        return True
    return False
