"""`python -m app keys add|list|remove`: the keys file."""

import argparse
import contextlib
import hashlib
import os
import secrets
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

from app.cli.replaced_file import locked, replace_text
from app.contract.errors import ConfigurationError
from app.transport.http.auth import ApiKey, ApiKeys, Scope


def manage_keys(arguments: Sequence[str]) -> str:
    """Runs the `keys` command.

    Args:
        arguments: the command line after `keys`.

    Returns:
        What to print: of `add` the new key, which is shown this once only.

    Raises:
        ConfigurationError: if the file or an argument is not valid.
    """
    options = _parser().parse_args(arguments)
    if options.file is None:
        raise ConfigurationError(
            "api_keys_file", "no file is named", "give --file or SENET_API_KEYS_FILE"
        )
    if options.action == "list":
        return describe_keys(ApiKeys.read(options.file), datetime.now(UTC))
    if options.action == "remove":
        remove_key(options.file, options.name)
        return f"removed {options.name}"
    expires = None if options.expires is None else _moment(options.expires, datetime.now(UTC))
    return add_key(options.file, options.name, options.scope or ["classify"], expires)


def add_key(path: Path, name: str, scopes: Sequence[str], expires: datetime | None = None) -> str:
    """Makes a key of 256 random bits and adds its hash to a keys file, which is made if missing.

    Args:
        path: the file.
        name: who will use the key.
        scopes: what it allows.
        expires: from when on it is refused; None for never.

    Returns:
        The key.

    Raises:
        ConfigurationError: if the file is not valid, or has that name already.
    """
    key = secrets.token_urlsafe(32)
    try:
        entry = ApiKey.model_validate(
            {
                "name": name,
                "sha256": hashlib.sha256(key.encode()).hexdigest(),
                "scopes": scopes,
                "expires": expires,
            }
        )
    except ValueError as error:
        raise ConfigurationError(
            "name", f"{name!r} is not accepted", "use letters, digits, '.', '_' and '-'"
        ) from error
    with _changing(path):
        keys = ApiKeys.read(path).keys if os.path.lexists(os.path.realpath(path)) else ()
        if any(other.name == name for other in keys):
            raise ConfigurationError(
                "name",
                f"{path} has a key {name!r} already",
                f"choose another name, or remove that key: python -m app keys remove {name}",
            )
        _write(path, (*keys, entry))
    return key


def remove_key(path: Path, name: str) -> None:
    """Removes a key; a running service refuses it from its next request on.

    Raises:
        ConfigurationError: if the file is not valid, or has no key of that name.
    """
    with _changing(path):
        keys = ApiKeys.read(path).keys
        others = [entry for entry in keys if entry.name != name]
        if len(others) == len(keys):
            names = ", ".join(entry.name for entry in keys) or "none"
            raise ConfigurationError(
                "name", f"{path} has no key {name!r}; it has {names}", "name one of them"
            )
        _write(path, others)


def describe_keys(keys: ApiKeys, now: datetime) -> str:
    """A table of the keys: name, scopes, expiry. There is nothing secret in it."""
    rows = [("NAME", "SCOPES", "EXPIRES")]
    for entry in keys.keys:
        expires = "never" if entry.expires is None else f"{entry.expires:%Y-%m-%d %H:%M %Z}"
        expired = " (expired)" if entry.has_expired(now) else ""
        rows.append((entry.name, ",".join(sorted(entry.scopes)), expires + expired))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--file", type=Path, default=os.environ.get("SENET_API_KEYS_FILE"),
        help="the keys file (default: SENET_API_KEYS_FILE)",
    )  # fmt: skip
    parser = argparse.ArgumentParser(
        prog="python -m app keys", description="Manages the file of API keys' hashes."
    )
    actions = parser.add_subparsers(dest="action", required=True)
    add = actions.add_parser(
        "add", parents=[common], help="make a key, print it this once and add its hash to the file"
    )
    add.add_argument("name", help="who will use it")
    add.add_argument(
        "--scope", action="append", choices=get_args(Scope),
        help="what it allows, repeatable (default: classify)",
    )  # fmt: skip
    add.add_argument(
        "--expires", metavar="TIME",
        help="from when on it is refused: an ISO 8601 date, which means its first moment, or date"
        " and time, in UTC unless it says otherwise (default: never)",
    )  # fmt: skip
    remove = actions.add_parser(
        "remove", parents=[common], help="take a key's hash out of the file"
    )
    remove.add_argument("name", help="whose it was")
    actions.add_parser("list", parents=[common], help="show names, scopes and expiry")
    return parser


def _moment(text: str, now: datetime) -> datetime:
    """The time that a person wrote, if it is to come."""
    try:
        moment = datetime.fromisoformat(text)
        moment = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ConfigurationError(
            "expires",
            f"{text!r} is not a date or time",
            "write it as 2027-01-31 or 2027-01-31T18:00",
        ) from error
    if moment <= now:
        raise ConfigurationError("expires", f"{text} has passed", "give a time in the future")
    return moment


@contextlib.contextmanager
def _changing(path: Path) -> Iterator[None]:
    """One change of the file at a time; what the system refuses becomes an error of ours."""
    try:
        with locked(path):
            yield
    except OSError as error:
        raise ConfigurationError(
            "api_keys_file",
            f"{path} cannot be written ({error.strerror})",
            "choose another file, or run this as its owner",
        ) from error


def _write(path: Path, keys: Iterable[ApiKey]) -> None:
    # Without what is not set, so that an earlier release can read the file as well.
    replace_text(
        path, ApiKeys(keys=tuple(keys)).model_dump_json(indent=2, exclude_none=True) + "\n"
    )
