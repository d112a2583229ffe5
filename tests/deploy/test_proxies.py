"""Behind nginx and HAProxy as shipped, clients meet the service's own answers."""

import contextlib
import logging
import socket
import ssl
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from app.settings import Settings
from tests.deploy.proxies import Addresses, Proxy, Tool, haproxy, nginx
from tests.support.colours import COLOURS
from tests.support.engines import FakeEngine, FakeEngines
from tests.support.http import assert_problem, post_image, top_classes
from tests.support.images import encode, photo
from tests.support.metrics import samples
from tests.support.server import LiveServer, running
from tests.support.waiting import eventually

PICTURE = encode(photo(COLOURS[1]))
BEHIND = {"forwarded_allow_ips": "127.0.0.1"}
Start = Callable[[int], contextlib.AbstractContextManager[Addresses]]


@pytest.fixture(params=[nginx, haproxy], ids=["nginx", "haproxy"])
def proxy(
    request: pytest.FixtureRequest, certificate: dict[str, Path], tool: Tool, tmp_path: Path
) -> Start:
    """Starts the proxy before a service's port."""
    program: Proxy = request.param

    @contextlib.contextmanager
    def start(service: int) -> Iterator[Addresses]:
        ports = Addresses(_free_port(), _free_port(), service)
        with program(tmp_path, ports, certificate, tool):
            yield ports

    return start


@pytest.fixture
def make(repository: Path) -> Callable[..., Settings]:
    """Settings of a service behind a proxy."""

    def settings(**options: object) -> Settings:
        return Settings.model_validate(
            {"model_repository": repository, "model": "colours"} | BEHIND | options
        )

    return settings


@contextlib.contextmanager
def ready_behind(
    proxy: Start, settings: Settings, engine: FakeEngine | None = None
) -> Iterator[tuple[LiveServer, Addresses]]:
    """A ready service that the proxy knows to be ready."""
    with running(settings, FakeEngines(engine or FakeEngine())) as live, proxy(live.port) as ports:
        with client_of(ports) as client:
            eventually(lambda: client.get("/readyz").status_code == 200)
        yield live, ports


def client_of(ports: Addresses, source: str = "127.0.0.1") -> httpx.Client:
    """A client of the proxy that calls from an address of this machine."""
    tls = ssl.create_default_context()
    tls.check_hostname = False
    tls.verify_mode = ssl.CERT_NONE
    transport = httpx.HTTPTransport(verify=tls, local_address=source)
    return httpx.Client(
        base_url=f"https://127.0.0.1:{ports.https}", transport=transport, timeout=30
    )


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def test_a_photo_is_classified_over_https_alone(
    proxy: Start, make: Callable[..., Settings]
) -> None:
    with ready_behind(proxy, make()) as (_, ports), client_of(ports) as client:
        assert top_classes(post_image(client, PICTURE)) == [1]
        plain = httpx.get(f"http://127.0.0.1:{ports.http}/classify?top_k=1", trust_env=False)
        assert plain.status_code == 308
        assert plain.headers["location"].startswith("https://127.0.0.1")
        assert plain.headers["location"].endswith("/classify?top_k=1")


def test_each_user_is_a_caller_of_its_own_whatever_it_claims(
    proxy: Start, make: Callable[..., Settings], caplog: pytest.LogCaptureFixture
) -> None:
    with (
        caplog.at_level(logging.INFO, "app"),
        ready_behind(proxy, make()) as (_, ports),
    ):
        for source in ("127.0.0.2", "127.0.0.3"):
            with client_of(ports, source) as client:
                post_image(client, PICTURE, headers={"x-forwarded-for": "192.0.2.1"})
    lines = [vars(record) for record in caplog.records if record.msg == "request"]
    assert [line["caller"] for line in lines if line["route"] == "/classify"] == [
        "127.0.0.2",
        "127.0.0.3",
    ]


def test_without_trust_in_the_proxy_all_users_are_one_caller(
    proxy: Start, make: Callable[..., Settings], caplog: pytest.LogCaptureFixture
) -> None:
    with (
        caplog.at_level(logging.INFO, "app"),
        ready_behind(proxy, make(forwarded_allow_ips="192.0.2.9")) as (_, ports),
        client_of(ports, "127.0.0.2") as client,
    ):
        post_image(client, PICTURE)
    lines = [vars(record) for record in caplog.records if record.msg == "request"]
    assert {line["caller"] for line in lines if line["route"] == "/classify"} == {"127.0.0.1"}


def test_what_is_too_large_is_refused_in_the_services_words(
    proxy: Start, make: Callable[..., Settings]
) -> None:
    limit = 1024 * 1024
    settings = make(max_body_bytes=limit)
    with ready_behind(proxy, settings) as (_, ports), client_of(ports) as client:
        problem = assert_problem(post_image(client, bytes(8 * limit)), 413, "body_too_large")
        assert str(limit) in problem["detail"]


def test_at_capacity_the_refusal_and_its_pause_reach_the_client_untried(
    proxy: Start, make: Callable[..., Settings]
) -> None:
    engine = FakeEngine()
    settings = make(max_queue_size=1, max_batch_size=1, max_images_per_request=1)
    with ready_behind(proxy, settings, engine) as (live, ports), ThreadPoolExecutor(1) as threads:
        engine.gate.close()
        with client_of(ports) as client, client_of(ports) as other:
            first = threads.submit(post_image, client, PICTURE)
            engine.gate.wait_until_held()
            refused = post_image(other, PICTURE)
            assert_problem(refused, 429, "overloaded")
            assert int(refused.headers["retry-after"]) >= 1
            engine.gate.open()
            assert top_classes(first.result()) == [1]
        with live.client() as client:
            assert _refusals(client) == 1


def _refusals(client: httpx.Client) -> float:
    return sum(
        count
        for (name, labels), count in samples(client).items()
        if name == "senet_requests_total" and {("route", "/classify"), ("status", "429")} <= labels
    )


def test_a_deadline_is_the_services_to_tell(proxy: Start, make: Callable[..., Settings]) -> None:
    engine = FakeEngine()
    settings = make(max_batch_size=1)
    with ready_behind(proxy, settings, engine) as (_, ports), client_of(ports) as client:
        engine.gate.close()
        late = post_image(client, PICTURE, headers={"x-request-timeout-ms": "50"})
        assert_problem(late, 504, "deadline_exceeded")
        engine.gate.open()


def test_while_no_replica_is_ready_or_there_the_answer_says_when_to_come_back(
    proxy: Start, make: Callable[..., Settings]
) -> None:
    engines = FakeEngines(FakeEngine())
    engines.gate.close()
    with running(make(), engines, ready=False) as live, proxy(live.port) as ports:
        with client_of(ports) as client:
            for _ in range(2):
                assert_says_when_to_come_back(post_image(client, PICTURE))
        engines.gate.open()
        live.wait_until_ready()
    with proxy(_free_port()) as ports, client_of(ports) as client:
        assert_says_when_to_come_back(post_image(client, PICTURE))


def assert_says_when_to_come_back(response: httpx.Response) -> None:
    """The service's answer, or a proxy's that looks the same to a program."""
    assert response.status_code == 503
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["code"] == "not_ready"
    assert int(response.headers["retry-after"]) >= 1


def test_metrics_are_not_for_the_public(proxy: Start, make: Callable[..., Settings]) -> None:
    with ready_behind(proxy, make()) as (live, ports):
        with client_of(ports) as client:
            assert client.get("/metrics").status_code == 404
        with live.client() as client:
            assert client.get("/metrics").status_code == 200
