import hashlib
from pathlib import Path

import pytest

from app.api.auth import ApiKeys, KeyFile
from app.errors import ConfigurationError
from app.keys import add_key, manage_keys


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
