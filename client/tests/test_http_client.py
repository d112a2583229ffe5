"""The caller's own connections, headers and proxies."""

import asyncio
import os
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from senet_client import AsyncClient, Client, errors
from tests.fake_service import FakeService, best_class, listening, transport, url_of


@pytest.fixture
def service() -> FakeService:
    return FakeService()


def test_an_http_client_of_ones_own(service: FakeService) -> None:
    with httpx.Client(
        transport=transport(service), base_url="http://elsewhere", headers={"x-team": "shop"}
    ) as own:
        with Client(http_client=own, api_key="k") as client:
            answer = client.classify(b"x", top_k=1)
        assert not own.is_closed  # it is its maker's to close
        assert own.headers.get("authorization") is None
    assert answer.predictions[0].class_index == best_class(b"x")
    _, _, headers = service.requests[-1]
    assert headers["x-team"] == "shop"
    assert headers["authorization"] == "Bearer k"
    assert headers["host"] == "elsewhere"


async def test_the_same_without_blocking(service: FakeService) -> None:
    async with httpx.AsyncClient(transport=transport(service)) as own:
        async with AsyncClient("http://fake", http_client=own) as client:
            assert await client.ready()
        assert not own.is_closed


def test_one_of_the_wrong_kind_is_refused(service: FakeService) -> None:
    wrong: Any = httpx.AsyncClient(transport=transport(service))
    with pytest.raises(errors.InvalidArgument, match=r"AsyncClient is not an httpx\.Client"):
        Client(http_client=wrong)


@pytest.mark.parametrize(
    "options",
    [{"proxy": "http://p:1"}, {"verify": False}, {"trust_env": False}, {"http2": True}],
)
def test_what_is_the_http_clients_own_is_refused_beside_it(options: dict[str, Any]) -> None:
    with httpx.Client() as own, pytest.raises(errors.InvalidArgument, match="give them to it"):
        Client(http_client=own, **options)


def test_one_that_was_closed_is_an_error_of_ours(service: FakeService) -> None:
    own = httpx.Client(transport=transport(service))
    client = Client("http://fake", http_client=own)
    own.close()
    with pytest.raises(errors.ClientClosed, match="http_client that was given is closed"):
        client.classify(b"x")


def test_it_is_not_used_after_a_fork(service: FakeService) -> None:
    with httpx.Client(transport=transport(service)) as own:
        client = Client("http://fake", http_client=own)
        client.classify(b"x")
        child = os.fork()
        if not child:
            code = 1
            try:
                client.classify(b"x")
            except errors.InvalidArgument:
                code = 0
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        client.classify(b"x")


def test_it_is_not_used_in_another_event_loop(service: FakeService) -> None:
    own = httpx.AsyncClient(transport=transport(service))
    client = AsyncClient("http://fake", http_client=own)

    async def classify() -> None:
        await client.classify(b"x")

    asyncio.run(classify())
    with pytest.raises(errors.InvalidArgument, match="the process and event loop"):
        asyncio.run(classify())


def test_headers_travel_with_every_request(service: FakeService) -> None:
    headers = {"X-Tenant": "shop", "Authorization": "Basic eDp5"}
    with Client("http://fake", transport=transport(service), headers=headers) as client:
        client.classify(b"x")
        client.models()
    for _, _, sent in service.requests:
        assert sent["x-tenant"] == "shop"
        assert sent["authorization"] == "Basic eDp5"


@pytest.mark.parametrize(
    ("headers", "told"),
    [
        ({"X-Request-ID": "mine"}, "set by the client itself"),
        ({"authorization": "Bearer other"}, "set by the client itself"),
        ({"x-a": "s3cret\r\nx-b: c"}, "value of x-a is not printable"),
        ({"x a": "b"}, "not the name of a header"),
        ({"": "b"}, "not the name of a header"),
        ({"x-a": 5}, "must be text"),
    ],
)
def test_headers_that_cannot_be_sent_are_refused(headers: Any, told: str) -> None:
    with pytest.raises(errors.InvalidArgument, match=told) as caught:
        Client(api_key="k", headers=headers)
    assert "s3cret" not in str(caught.value)


@pytest.fixture
def proxied() -> Iterator[tuple[str, FakeService]]:
    """A stand-in for a proxy: it is asked for whole URLs."""
    service = FakeService()
    with listening(service) as server:
        yield url_of(server), service


def test_a_proxy(proxied: tuple[str, FakeService]) -> None:
    url, service = proxied
    with Client("http://inner.example:9/", proxy=url) as client:
        assert client.ready()
    [(_, _, headers)] = service.requests
    assert headers["host"] == "inner.example:9"


def test_the_environments_proxies_may_be_left_out(
    proxied: tuple[str, FakeService], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, service = proxied
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with Client(url) as client:
        assert not client.ready()
    with Client(url, trust_env=False) as client:
        assert client.ready()
    assert len(service.requests) == 1


def test_a_proxy_that_cannot_be_used_is_named() -> None:
    with pytest.raises(errors.InvalidArgument, match="proxy: cannot be used"):
        Client(proxy="gopher://x")


def test_http2_without_its_package_is_told() -> None:
    with pytest.raises(errors.InvalidArgument, match="http2"):
        Client(http2=True)


def test_the_url_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SENET_URL", "http://there:81/x")
    assert repr(Client()) == "Client('http://there:81/x', api_key=None)"
    assert repr(Client("http://here")) == "Client('http://here', api_key=None)"
    monkeypatch.setenv("SENET_URL", "nonsense")
    with pytest.raises(errors.InvalidArgument, match="nonsense"):
        Client()
    monkeypatch.delenv("SENET_URL")
    assert repr(Client()) == "Client('http://127.0.0.1:8000', api_key=None)"
