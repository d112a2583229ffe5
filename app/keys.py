"""`python -m app keys add NAME --file FILE`: makes an API key."""

import argparse
import hashlib
import os
import secrets
from collections.abc import Sequence
from pathlib import Path

from app.api.auth import ApiKey, ApiKeys
from app.errors import ConfigurationError


def manage_keys(arguments: Sequence[str]) -> str:
    """Runs the `keys` command.

    Args:
        arguments: the command line after `keys`.

    Returns:
        What to print: the new key, which is shown this once only.

    Raises:
        ConfigurationError: if the file is not valid, or has that name already.
    """
    parser = argparse.ArgumentParser(
        prog="python -m app keys",
        description="Makes an API key and adds its hash to the keys file.",
    )
    parser.add_argument("action", choices=["add"])
    parser.add_argument("name", help="who will use it")
    parser.add_argument(
        "--file", type=Path, default=os.environ.get("SENET_API_KEYS_FILE"),
        help="the keys file, made if missing (default: SENET_API_KEYS_FILE)",
    )  # fmt: skip
    parser.add_argument(
        "--scope", action="append", choices=["classify", "admin"],
        help="what it allows, repeatable (default: classify)",
    )  # fmt: skip
    options = parser.parse_args(arguments)
    if options.file is None:
        raise ConfigurationError(
            "api_keys_file", "no file is named", "give --file or SENET_API_KEYS_FILE"
        )
    return add_key(options.file, options.name, options.scope or ["classify"])


def add_key(path: Path, name: str, scopes: Sequence[str]) -> str:
    """Makes a key of 256 random bits and adds its hash to a keys file.

    Returns:
        The key.

    Raises:
        ConfigurationError: if the file is not valid, or has that name already.
    """
    keys = ApiKeys.read(path) if path.exists() else ApiKeys()
    if any(entry.name == name for entry in keys.keys):
        raise ConfigurationError(
            "name", f"{path} has a key {name!r} already", "choose another name or remove that key"
        )
    key = secrets.token_urlsafe(32)
    try:
        entry = ApiKey.model_validate(
            {"name": name, "sha256": hashlib.sha256(key.encode()).hexdigest(), "scopes": scopes}
        )
    except ValueError as error:
        raise ConfigurationError(
            "name", f"{name!r} is not accepted", "use letters, digits, '.', '_' and '-'"
        ) from error
    document = ApiKeys(keys=(*keys.keys, entry)).model_dump_json(indent=2)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        # Written beside and renamed: a running service never sees half a file.
        beside.touch(mode=0o600)
        beside.write_text(document + "\n")
        beside.rename(path)
    except OSError as error:
        raise ConfigurationError(
            "api_keys_file", f"{path} cannot be written ({error.strerror})", "choose another file"
        ) from error
    return key
