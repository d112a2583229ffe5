import ast
import re
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from senet_client import AsyncClient, Client, SenetClientError, errors
from tests.conftest import Surface
from tests.fake_service import FakeService, Reply, problem


def test_the_tree_at_the_top_of_the_module_is_the_tree() -> None:
    drawn: dict[str, str] = {}
    path: list[str] = []
    tree = ast.get_docstring(ast.parse(Path(errors.__file__).read_text())) or ""
    for line in tree.splitlines():
        match = re.match(r"^([│├└─ ]*)(\w+)(?:  .*)?$", line)
        if match and match[2] in vars(errors):
            depth = len(match[1]) // 4
            path = [*path[:depth], match[2]]
            drawn[match[2]] = path[-2] if depth else "Exception"
    kinds = {
        name: kind
        for name, kind in vars(errors).items()
        if isinstance(kind, type) and issubclass(kind, SenetClientError)
    }

    assert drawn == {name: kind.__bases__[0].__name__ for name, kind in kinds.items()}


@pytest.mark.parametrize("code", sorted(errors.BY_CODE))
def test_each_problem_code_is_its_own_error(
    client: Surface, service: FakeService, code: str
) -> None:
    service.script.extend([problem(400, code)] * 20)

    with pytest.raises(errors.BY_CODE[code], match="so it is") as raised:
        client.classify(b"x")

    assert raised.value.code == code
    assert raised.value.request_id == service.requests[-1][2]["x-request-id"]


def test_a_code_of_a_later_version_is_a_service_error(
    client: Surface, service: FakeService
) -> None:
    service.script.append(problem(418, "teapot"))

    with pytest.raises(errors.ServiceError) as raised:
        client.classify(b"x")

    assert (raised.value.code, raised.value.status) == ("teapot", 418)


GOOD: dict[str, Any] = {
    "model": dict.fromkeys(("name", "version", "precision", "digest", "preprocessing"), "x"),
    "results": [
        {
            "index": 0,
            "predictions": [{"rank": 1, "class_index": 0, "id": "", "label": "", "score": 1}],
        }
    ],
}


def test_a_whole_number_is_a_score(client: Surface, service: FakeService) -> None:
    service.script.append(Reply(200, GOOD))

    assert client.classify(b"x").predictions[0].score == 1.0


@pytest.mark.parametrize(
    "reply",
    [
        Reply(200, "<html>"),
        Reply(200, [1]),
        Reply(200, {"classes": []}),
        Reply(200, {**GOOD, "model": {"name": "x"}}),
        Reply(200, {**GOOD, "results": []}),
        Reply(200, {**GOOD, "results": ["x"]}),
        Reply(200, {**GOOD, "results": [{"index": 1, "predictions": []}]}),
        Reply(200, {**GOOD, "results": [{"index": 0, "labels": []}]}),
        Reply(200, {**GOOD, "results": [{"index": 0, "predictions": [{"rank": "1"}]}]}),
        Reply(404, "no such page"),
        Reply(302, "", {"location": "/elsewhere"}),
        problem(404, "not_found"),
    ],
)
def test_an_answer_of_another_api_is_told_as_such(
    client: Surface, service: FakeService, reply: Reply
) -> None:
    service.script.append(reply)

    with pytest.raises(errors.UnexpectedAnswer):
        client.classify(b"x")

    assert len(service.requests) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"base_url": "localhost:8000"}, "base_url"),
        ({"base_url": "ftp://host"}, "base_url"),
        ({"base_url": "http://host:port"}, "base_url"),
        ({"base_url": "http://user:wr0ng@host"}, "base_url: it holds a user name"),
        ({"base_url": "http://host/?key=5"}, "base_url: .* without"),
        ({"base_url": "http://host#x"}, "base_url: .* without"),
        ({"base_url": "http://host:99999"}, "base_url: .* port"),
        ({"base_url": "http://host..example"}, "base_url: .* is not a valid URL"),
        ({"base_url": f"http://{'a' * 64}.example"}, "base_url: .* is not a valid URL"),
        ({"base_url": 5}, "base_url: 5 is not a string"),
        ({"api_key": b"bytes"}, "api_key"),
        ({"timeouts": 30}, "timeouts must be a Timeouts"),
        ({"retries": 3}, "retries a Retries"),
        ({"verify": "authority.pem"}, "verify: .* nor an ssl.SSLContext"),
        ({"max_connections": "8"}, "whole numbers"),
        ({"api_key": "line\nbreak"}, "api_key"),
        ({"api_key": "schlüssel"}, "api_key"),
        ({"images_per_request": 0}, "at least 1"),
    ],
)
def test_options_that_cannot_be_used_are_refused(options: dict[str, Any], message: str) -> None:
    for kind in (Client, AsyncClient):
        with pytest.raises(errors.InvalidArgument, match=message) as refused:
            kind(**options)
        assert "wr0ng" not in str(refused.value)


def test_keys_are_sent_and_masked(
    make: Callable[..., Surface], service: FakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SENET_API_KEY", "from-the-environment")
    service.api_key = "from-the-environment"
    make().classify(b"x")
    service.api_key = "explicit"
    make(api_key="explicit").classify(b"x")

    with pytest.raises(errors.Unauthenticated) as raised:
        make(api_key="wr0ng").classify(b"x")

    assert len(service.requests) == 3
    assert "wr0ng" not in f"{raised.value!r} {raised.value}"


def test_repr_masks_the_key() -> None:
    for kind in (Client, AsyncClient):
        client = kind("http://host/prefix", api_key="secret")
        assert repr(client) == f"{kind.__name__}('http://host/prefix', api_key='***')"


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("SSL_CERT_FILE", "/nowhere/authority.pem", "SSL_CERT_FILE=/nowhere/authority.pem.*read"),
        ("HTTP_PROXY", "gopher://proxy:70", "HTTP_PROXY.*cannot be used"),
        ("HTTPS_PROXY", "http://proxy:port", "HTTPS_PROXY.*cannot be used"),
        ("ALL_PROXY", "socks5://proxy:1080", "ALL_PROXY.*cannot be used"),
    ],
)
def test_an_environment_that_cannot_be_used_is_told_at_once(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, message: str
) -> None:
    monkeypatch.setenv(name, value)

    for kind in (Client, AsyncClient):
        with pytest.raises(errors.InvalidArgument, match=message):
            kind("http://host")


def test_a_proxy_that_is_not_there_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: refused
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{taken.getsockname()[1]}")

        with Client("http://service.example") as client, pytest.raises(errors.ConnectionFailed):
            client.classify(b"x")


def test_an_answer_that_cannot_be_decoded_is_told(client: Surface, service: FakeService) -> None:
    service.answer = lambda *_: Reply(200, GOOD, {"content-encoding": "gzip"})  # type: ignore[method-assign]  # a lie

    with pytest.raises(errors.UnexpectedAnswer):
        client.classify(b"x")


@pytest.mark.parametrize(
    ("options", "query"),
    [
        ({"include": {"cam", "embedding"}}, {"include": "cam,embedding"}),
        ({"include": ("embedding",)}, {"include": "embedding"}),
        ({"include": "embedding,cam"}, {"include": "embedding,cam"}),
        ({"version": 1}, {"version": "1"}),
        ({"top_k": np.int64(3)}, {"top_k": "3"}),
        ({"min_score": np.float32(0.5)}, {"min_score": "0.5"}),
    ],
)
def test_options_travel_as_the_service_reads_them(
    client: Surface, service: FakeService, options: dict[str, Any], query: dict[str, str]
) -> None:
    client.classify(b"x", **options)

    assert service.requests[-1][1] == query


@pytest.mark.parametrize(
    "options",
    [
        {"include": [5]},
        {"include": 5},
        {"top_k": None},
        {"top_k": "5"},
        {"top_k": 2.5},
        {"top_k": True},
        {"min_score": "high"},
        {"min_score": float("nan")},
        {"model": None},
        {"version": 1.5},
        {"priority": 1},
    ],
)
def test_options_that_mean_nothing_are_refused_here(
    client: Surface, service: FakeService, options: dict[str, Any]
) -> None:
    (name,) = options
    with pytest.raises(errors.InvalidArgument, match=f"{name} must be"):
        client.classify(b"x", **options)

    assert not service.requests
