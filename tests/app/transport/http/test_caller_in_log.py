"""The log tells whose request it was: by the key's name, else by the address, unless it is off."""

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.cli.keys import add_key
from app.settings import Settings
from tests.support.colours import COLOURS
from tests.support.engines import FakeEngine, FakeEngines
from tests.support.http import RawConnection, post_image
from tests.support.images import encode, photo, truncated_jpeg
from tests.support.server import LiveServer, running

PICTURE = encode(photo(COLOURS[0]))
LOCAL = "127.0.0.1"
Callers = Callable[[], list[str | None]]


@pytest.fixture
def callers(caplog: pytest.LogCaptureFixture) -> Iterator[Callers]:
    """Gives the callers of the requests logged so far."""

    def found() -> list[str | None]:
        lines = [vars(record) for record in caplog.records if record.msg == "request"]
        return [line.get("caller") for line in lines]

    with caplog.at_level(logging.INFO, "app"):
        yield found


@pytest.fixture
def keys(tmp_path: Path) -> dict[str, str]:
    """Keys by name."""
    path = tmp_path / "keys.json"
    return {
        "shop": add_key(path, "shop", ["classify"]),
        "boss": add_key(path, "boss", ["admin"]),
    }


def send_all_kinds(live: LiveServer, keys: dict[str, str]) -> None:
    """A success, a bad image, bad parameters, an unread body, no key, a wrong one, one too few."""
    shop = {"x-api-key": keys["shop"]}
    with live.client() as client:
        post_image(client, PICTURE, headers=shop)
        post_image(client, truncated_jpeg(), headers=shop)
        post_image(client, PICTURE, headers=shop | {"x-request-timeout-ms": "soon"})
        post_image(client, PICTURE, params={"top_k": "many"}, headers=shop)
        post_image(client, PICTURE, headers=shop | {"content-type": "text/plain"})
        post_image(client, PICTURE)
        post_image(client, PICTURE, headers={"x-api-key": "unknown"})
        post_image(client, PICTURE, headers={"x-api-key": keys["boss"]})


def test_a_key_is_named_and_a_stranger_s_address_told(
    make_settings: Callable[..., Settings], tmp_path: Path, keys: dict[str, str], callers: Callers
) -> None:
    with running(make_settings(api_keys_file=tmp_path / "keys.json"), FakeEngines()) as live:
        send_all_kinds(live, keys)
    assert callers() == [*["shop"] * 5, LOCAL, LOCAL, "boss"]


def test_addresses_can_be_left_out(
    make_settings: Callable[..., Settings],
    tmp_path: Path,
    keys: dict[str, str],
    callers: Callers,
    caplog: pytest.LogCaptureFixture,
) -> None:
    settings = make_settings(api_keys_file=tmp_path / "keys.json", log_addresses=False)
    with running(settings, FakeEngines()) as live:
        send_all_kinds(live, keys)
    assert callers() == [*["shop"] * 5, None, None, "boss"]
    assert LOCAL not in json.dumps([vars(record) for record in caplog.records], default=str)


@pytest.mark.parametrize(("addresses", "caller"), [(True, LOCAL), (False, None)])
def test_without_keys_the_address_is_told(
    make_settings: Callable[..., Settings], callers: Callers, addresses: bool, caller: str | None
) -> None:
    with (
        running(make_settings(log_addresses=addresses), FakeEngines()) as live,
        live.client() as client,
    ):
        post_image(client, PICTURE)
    assert callers() == [caller]


def test_what_a_proxy_passes_on_is_told_up_to_an_address_s_length(
    make_settings: Callable[..., Settings], callers: Callers
) -> None:
    with running(make_settings(), FakeEngines()) as live, live.client() as client:
        post_image(client, PICTURE, headers={"x-forwarded-for": "192.0.2.7"})
        post_image(client, PICTURE, headers={"x-forwarded-for": "x" * 5000})
    assert callers() == ["192.0.2.7", "x" * 61]


@pytest.mark.parametrize(("addresses", "stranger"), [(True, LOCAL), (False, None)])
@pytest.mark.parametrize("with_key", [True, False])
def test_whoever_is_refused_by_the_head_is_told_as_well(
    make_settings: Callable[..., Settings],
    tmp_path: Path,
    keys: dict[str, str],
    callers: Callers,
    addresses: bool,
    stranger: str | None,
    with_key: bool,
) -> None:
    engine = FakeEngine()
    options = {"max_queue_size": 1, "max_batch_size": 1, "max_images_per_request": 1}
    keyed = {"api_keys_file": tmp_path / "keys.json"} if with_key else {}
    settings = make_settings(**options, **keyed, log_addresses=addresses)
    headers = {"x-api-key": keys["shop"]}
    with running(settings, FakeEngines(engine)) as live, live.client() as client:
        engine.gate.close()
        with RawConnection(live.port) as inside:
            inside.send_head(
                f"x-api-key: {keys['shop']}",
                "content-type: image/png",
                f"content-length: {len(PICTURE)}",
            )
            inside.send(PICTURE)
            engine.gate.wait_until_held()
            assert post_image(client, PICTURE, headers=headers).status_code == 429
            engine.gate.open()
            inside.read_answer()
    assert callers() == ["shop" if with_key else stranger] * 2
