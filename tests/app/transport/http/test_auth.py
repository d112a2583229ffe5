"""API keys."""

import base64
import hashlib
import json
import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from app.cli.keys import add_key
from app.contract.errors import ConfigurationError, Unauthenticated
from app.settings import Settings
from app.transport.http.auth import ApiKeys, KeyFile, identifier
from tests.support.colours import COLOURS
from tests.support.engines import FakeEngines
from tests.support.http import RawConnection, assert_problem, assert_raw_problem, post_image
from tests.support.images import encode, photo
from tests.support.server import LiveServer, running

PICTURE = encode(photo(COLOURS[0]))


def keys_document(**scopes: list[str]) -> str:
    return json.dumps(
        {
            "keys": [
                {
                    "name": name,
                    "sha256": hashlib.sha256(f"{name}-key".encode()).hexdigest(),
                    "scopes": allowed,
                }
                for name, allowed in scopes.items()
            ]
        }
    )


@pytest.fixture(scope="module")
def server(
    make_settings: Callable[..., Settings], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LiveServer]:
    path = tmp_path_factory.mktemp("keys") / "keys.json"
    path.write_text(keys_document(reader=["classify"], admin=["admin"]))
    with running(make_settings(api_keys_file=path), FakeEngines()) as live:
        yield live


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": "Bearer reader-key"},
        {"authorization": "bearer  reader-key"},
        {"x-api-key": "reader-key"},
        {"authorization": "Basic " + base64.b64encode(b"anybody:reader-key").decode()},
        {"authorization": "basic " + base64.b64encode(b":reader-key").decode()},
    ],
)
def test_a_known_key_passes(client: httpx.Client, headers: dict[str, str]) -> None:
    assert post_image(client, PICTURE, headers=headers).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer"},
        {"authorization": "Bearer wrong"},
        {"authorization": "Basic reader-key"},
        {"authorization": "Basic " + base64.b64encode(b"reader-key").decode()},
        {"authorization": "Basic " + base64.b64encode(b"reader-key:wrong").decode()},
        {"authorization": "Basic " + base64.b64encode(b"a:\xff").decode()},
        {"authorization": "Bearer " + hashlib.sha256(b"reader-key").hexdigest()},
        {"x-api-key": ""},
        {"x-api-key": "reader-keY"},
    ],
)
def test_unauthenticated(client: httpx.Client, headers: dict[str, str]) -> None:
    response = post_image(client, PICTURE, headers=headers)
    assert_problem(response, 401, "unauthenticated")
    assert response.headers["www-authenticate"] == "Bearer"


def test_a_stranger_is_told_nothing_else(client: httpx.Client) -> None:
    assert_problem(post_image(client, PICTURE, params={"top_k": 0}), 401, "unauthenticated")


def test_forbidden(client: httpx.Client) -> None:
    response = post_image(client, PICTURE, headers={"x-api-key": "admin-key"})
    problem = assert_problem(response, 403, "forbidden")
    assert "classify" in problem["detail"]


def test_strangers_are_refused_before_they_upload(server: LiveServer) -> None:
    with RawConnection(server.port) as connection:
        connection.send_head("content-type: image/png", "content-length: 1000000")
        assert_raw_problem(connection.read_answer(), 401, "unauthenticated")


def test_a_key_is_accepted_until_it_expires(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    expiry = datetime(2026, 6, 1, 12, tzinfo=UTC)
    connection = {"headers": [(b"x-api-key", add_key(path, "shop", ["classify"], expiry).encode())]}
    now = expiry - timedelta(microseconds=1)
    identify = identifier(KeyFile(path), "classify", now=lambda: now)
    assert identify(connection | {"type": "http"}) == "shop"
    now = expiry
    with pytest.raises(Unauthenticated, match="'shop' expired at 2026-06-01 12:00"):
        identify(connection | {"type": "http"})


def test_health_needs_no_key(client: httpx.Client) -> None:
    assert client.get("/readyz").status_code == 200


@pytest.mark.parametrize(
    ("document", "cause"),
    [
        ("{", "Invalid JSON"),
        ('{"keys": [{"name": "a", "sha256": "short", "scopes": []}]}', "keys.0.sha256"),
        (keys_document(a=["everything"]), "keys.0.scopes"),
        ('{"keys": [], "more": 1}', "more"),
        ('{"keys": [], "keys": []}', "keys: stands twice"),
    ],
)
def test_a_bad_keys_file_is_a_configuration_error(
    tmp_path: Path, document: str, cause: str
) -> None:
    path = tmp_path / "keys.json"
    path.write_text(document)
    with pytest.raises(ConfigurationError, match=cause) as raised:
        ApiKeys.read(path)
    assert raised.value.option == "api_keys_file"


def test_an_unreadable_keys_file_is_a_configuration_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        ApiKeys.read(tmp_path / "missing.json")


def test_keys_are_never_logged(client: httpx.Client, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        post_image(client, PICTURE, headers={"authorization": "Bearer reader-key"})
        post_image(client, PICTURE, headers={"x-api-key": "admin-key"})
        post_image(client, PICTURE, headers={"x-api-key": "wrong-key"})
    lines = [str(vars(record)) for record in caplog.records if record.name.startswith("app.")]
    assert len(lines) == 3
    assert not any(f"{name}-key" in line for line in lines for name in ("reader", "admin", "wrong"))
