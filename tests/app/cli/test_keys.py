import hashlib
import json
import os
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app.cli.keys import add_key, describe_keys, manage_keys, remove_key
from app.contract.errors import ConfigurationError
from app.transport.http.auth import ApiKeys, KeyFile

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def names(path: Path) -> list[str]:
    return [entry.name for entry in ApiKeys.read(path).keys]


def test_a_key_is_returned_once_and_only_its_hash_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"

    key = add_key(path, "shop", ["classify"])

    text = path.read_text()
    assert key not in text
    assert hashlib.sha256(key.encode()).hexdigest() in text
    assert path.stat().st_mode & 0o777 == 0o600
    assert [child.name for child in tmp_path.iterdir()] == ["keys.json"]


def test_keys_are_added_to_those_that_are_there(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    keys = [add_key(path, name, ["classify"]) for name in ("shop", "blog")]

    found = [ApiKeys.read(path).find(key) for key in keys]

    assert [entry and entry.name for entry in found] == ["shop", "blog"]
    assert len(set(keys)) == 2


def test_an_unknown_key_is_not_found(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    add_key(path, "shop", ["classify"])

    assert ApiKeys.read(path).find("guessed") is None


@pytest.mark.parametrize("name", ["", "two words", "../up", "line\nbreak", "x" * 65])
def test_a_name_that_cannot_stand_in_a_log_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^name: "):
        add_key(tmp_path / "keys.json", name, ["classify"])


def test_a_name_is_given_once(tmp_path: Path) -> None:
    add_key(tmp_path / "keys.json", "shop", ["classify"])

    with pytest.raises(ConfigurationError, match="has a key 'shop' already"):
        add_key(tmp_path / "keys.json", "shop", ["admin"])


def test_the_command_needs_a_file() -> None:
    with pytest.raises(ConfigurationError, match=r"^api_keys_file: no file is named"):
        manage_keys(["add", "shop"])


def test_the_command_takes_file_and_scopes(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"

    key = manage_keys(["add", "boss", "--file", str(path), "--scope", "admin"])

    entry = ApiKeys.read(path).find(key)
    assert entry is not None
    assert entry.scopes == {"admin"}


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be written"):
        add_key(tmp_path / "missing" / "keys.json", "shop", ["classify"])


def test_a_key_file_is_reread_when_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    first = add_key(path, "first", ["classify"])
    file = KeyFile(path)

    second = add_key(path, "second", ["classify"])

    assert file.current().find(first) is not None
    assert file.current().find(second) is not None


@pytest.mark.parametrize("content", ["no json", '{"keys": [{"name": "x"}]}', None])
def test_keys_stay_in_force_when_their_file_breaks(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "keys.json"
    key = add_key(path, "shop", ["classify"])
    file = KeyFile(path)

    if content is None:
        path.unlink()
    else:
        path.write_text(content)

    assert file.current().find(key) is not None


def test_a_key_file_must_be_valid_to_begin_with(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    path.write_text('{"keys": [{"name": "x", "sha256": "short", "scopes": []}]}')

    with pytest.raises(ConfigurationError, match=r"keys\.0\.sha256"):
        KeyFile(path)


@pytest.mark.parametrize("mode", [0o640, 0o440, 0o600, 0o664])
def test_the_file_s_mode_stays(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "keys.json"
    add_key(path, "first", ["classify"])
    path.chmod(mode)

    add_key(path, "second", ["classify"])
    remove_key(path, "first")

    assert path.stat().st_mode & 0o7777 == mode
    assert names(path) == ["second"]


def test_the_file_s_owner_and_group_stay(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    add_key(path, "first", ["classify"])
    if os.geteuid() == 0:  # only root may give files away
        os.chown(path, 10001, 10002)
    before = path.stat()

    add_key(path, "second", ["classify"])

    after = path.stat()
    assert (after.st_uid, after.st_gid) == (before.st_uid, before.st_gid)
    assert after.st_ino != before.st_ino, "a reader may have found half of it"


def test_a_file_that_cannot_keep_its_owner_stays_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "keys.json"
    add_key(path, "first", ["classify"])

    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "chown", refuse)
    with pytest.raises(ConfigurationError, match=r"not permitted\); .* as its owner"):
        add_key(path, "second", ["classify"])

    assert names(path) == ["first"]
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("exists", [True, False])
def test_a_link_goes_on_leading_to_the_file(tmp_path: Path, exists: bool) -> None:
    (tmp_path / "real").mkdir()
    real, middle, link = tmp_path / "real" / "keys.json", tmp_path / "middle", tmp_path / "link"
    middle.symlink_to("real/keys.json")
    link.symlink_to(middle)
    if exists:
        add_key(real, "first", ["classify"])

    add_key(link, "second", ["classify"])

    assert link.is_symlink()
    assert middle.is_symlink()
    assert names(real) == (["first", "second"] if exists else ["second"])
    assert list((tmp_path / "real").iterdir()) == [real]


def test_a_link_to_itself_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    path.symlink_to(path)
    with pytest.raises(ConfigurationError, match=r"^api_keys_file: "):
        add_key(path, "shop", ["classify"])
    assert path.is_symlink()


def test_of_changes_at_the_same_time_none_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    wanted = [f"caller-{number}" for number in range(16)]

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda name: add_key(path, name, ["classify"]), wanted))

    assert sorted(names(path)) == sorted(wanted)


def test_a_removed_key_is_gone_and_the_others_stay(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    keys = {name: add_key(path, name, ["classify"]) for name in ("shop", "blog")}
    file = KeyFile(path)

    assert manage_keys(["remove", "shop", "--file", str(path)]) == "removed shop"

    assert file.current().find(keys["shop"]) is None
    assert file.current().find(keys["blog"]) is not None


def test_removing_a_key_that_is_not_there_tells_which_are(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    add_key(path, "shop", ["classify"])
    with pytest.raises(ConfigurationError, match=r"^name: .* no key 'shops'; it has shop; "):
        remove_key(path, "shops")


@pytest.mark.parametrize("command", [["list"], ["remove", "shop"]])
def test_a_missing_file_is_told(tmp_path: Path, command: list[str]) -> None:
    with pytest.raises(ConfigurationError, match=r"^api_keys_file: .* cannot be read"):
        manage_keys([*command, "--file", str(tmp_path / "keys.json")])


def test_the_list_tells_scopes_and_expiry_and_no_hash(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    add_key(path, "shop", ["classify"])
    add_key(path, "trial", ["classify", "admin"], NOON)
    add_key(path, "guest", ["classify"], NOON + timedelta(days=1))

    assert describe_keys(ApiKeys.read(path), NOON).splitlines() == [
        "NAME   SCOPES          EXPIRES",
        "shop   classify        never",
        "trial  admin,classify  2026-06-01 12:00 UTC (expired)",
        "guest  classify        2026-06-02 12:00 UTC",
    ]
    assert manage_keys(["list", "--file", str(path)]).count("\n") == 3


def test_what_does_not_expire_can_be_read_by_an_earlier_release(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    add_key(path, "shop", ["classify"])
    [entry] = json.loads(path.read_text())["keys"]
    assert set(entry) == {"name", "sha256", "scopes"}


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2999-01-31", datetime(2999, 1, 31, tzinfo=UTC)),
        ("2999-01-31T18:00", datetime(2999, 1, 31, 18, tzinfo=UTC)),
        ("2999-01-31T18:00:00+02:00", datetime(2999, 1, 31, 16, tzinfo=UTC)),
        ("2999-01-31T18:00:00Z", datetime(2999, 1, 31, 18, tzinfo=UTC)),
    ],
)
def test_expiry_is_written_as_a_date_or_a_time(tmp_path: Path, text: str, moment: datetime) -> None:
    path = tmp_path / "keys.json"
    manage_keys(["add", "shop", "--file", str(path), "--expires", text])
    assert ApiKeys.read(path).keys[0].expires == moment


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("2001-01-31", "has passed"),
        ("soon", "not a date"),
        ("31.01.2999", "not a date"),
        ("9999-12-31T23:59:59-12:00", "not a date"),
        ("", "not a date"),
    ],
)
def test_an_expiry_that_is_none_is_refused(tmp_path: Path, text: str, cause: str) -> None:
    path = tmp_path / "keys.json"
    with pytest.raises(ConfigurationError, match=cause) as raised:
        manage_keys(["add", "shop", "--file", str(path), "--expires", text])
    assert raised.value.option == "expires"
    assert not path.exists()


@pytest.mark.parametrize("expires", ["2027-01-31T00:00:00", "soon", "2027-13-01T00:00:00Z"])
def test_an_expiry_without_a_zone_or_sense_is_found_in_the_file(
    tmp_path: Path, expires: str
) -> None:
    path = tmp_path / "keys.json"
    entry = {"name": "shop", "sha256": "0" * 64, "scopes": ["classify"], "expires": expires}
    path.write_text(json.dumps({"keys": [entry]}))
    with pytest.raises(ConfigurationError, match=r"keys\.0\.expires"):
        KeyFile(path)
