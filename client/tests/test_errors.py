import ast
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

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
