"""`python -m app models pull|push|verify`: model versions between this machine and a store."""

import argparse
import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from app.contract.errors import ConfigurationError
from app.contract.publishing import refuse_existing, staged
from app.contract.repository import ModelRepository, Repository, is_model_name, version_number
from app.remote.copies import Copies
from app.remote.location import Location, parse_location
from app.remote.publishing import publish
from app.remote.repository import RemoteRepository
from app.remote.store import open_store

# Of an argument, in a message.
_MOST_TOLD = 100


def manage_models(arguments: Sequence[str]) -> tuple[int, str]:
    """Runs the `models` command.

    Args:
        arguments: the command line after `models`.

    Returns:
        The exit code, 1 if a version is not in order and else 0, and what to print.

    Raises:
        ConfigurationError: if an argument is wrong, or a version cannot be copied.
    """
    options = _parser().parse_args(arguments)
    if options.action == "verify":
        return _verify(options.where, options.model)
    if isinstance(options.uri, Path):
        raise ConfigurationError(
            "URI", f"{options.uri} is a folder", "give a URI: s3://, gs://, az:// or https://"
        )
    name, version = _name_and_version(options.model)
    if options.action == "pull":
        return 0, _pull(options.uri, name, version, options.repository, force=options.force)
    if options.uri.startswith("http"):
        raise ConfigurationError(
            "URI", "web servers are read only", "push to s3://, gs:// or az://"
        )
    found = ModelRepository(options.repository).find(name, version)
    return 0, f"pushed {publish(found, open_store(options.uri), force=options.force)}"


def _pull(uri: str, name: str, version: int | None, folder: Path, *, force: bool) -> str:
    with tempfile.TemporaryDirectory() as unused:
        source = RemoteRepository(open_store(uri), Copies(Path(unused)))
        number = source.manifest(name, version).version
        target = folder / name / str(number)
        refuse_existing(target, force=force)
        with staged(target, force=force) as stage:
            source.copy(name, number, stage).verify()
    return f"pulled {target}"


def _verify(where: Location, models: Sequence[str]) -> tuple[int, str]:
    with tempfile.TemporaryDirectory() as folder:
        repository: Repository = (
            RemoteRepository(open_store(where), Copies(Path(folder)))
            if isinstance(where, str)
            else ModelRepository(where)
        )
        lines, code = [], 0
        for name, version in _versions(repository, models):
            try:
                found = repository.find(name, version)
                found.verify()
                lines.append(f"ok     {name}:{found.manifest.version}")
            except ConfigurationError as error:
                code = 1
                told = name if version is None else f"{name}:{version}"
                lines.append(f"FAULT  {told}  {error.cause}; {error.remedy}")
    if not lines:
        raise ConfigurationError(
            "model_repository", f"{where} holds no model", "name another repository"
        )
    return code, "\n".join(lines)


def _versions(repository: Repository, models: Sequence[str]) -> Iterator[tuple[str, int | None]]:
    """Those that are named; of names alone, and if nothing is named, all that are there."""
    for model in models or repository.names():
        name, version = _name_and_version(model)
        if version is not None:
            yield name, version
        else:
            numbers: list[int | None] = [*repository.versions(name)]
            for number in numbers or [None]:
                yield name, number


def _name_and_version(model: str) -> tuple[str, int | None]:
    name, colon, text = model.partition(":")
    version = version_number(text)
    if not is_model_name(name) or (colon and version is None):
        told = repr(model if len(model) <= _MOST_TOLD else f"{model[:_MOST_TOLD]}...")
        raise ConfigurationError(
            "MODEL", f"{told} is not the name of a model", "give a name, or name:version"
        )
    return name, version


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m app models",
        description="Copies model versions between this machine and a store (s3://, gs://, az://,"
        " https://), and verifies them.",
    )
    actions = parser.add_subparsers(dest="action", required=True)
    copying = argparse.ArgumentParser(add_help=False)
    copying.add_argument(
        "uri",
        metavar="URI",
        type=parse_location,
        help="the repository elsewhere, as s3://bucket/models",
    )
    copying.add_argument(
        "model", metavar="MODEL", help="a name (its highest version), or name:version"
    )
    copying.add_argument(
        "--repository", type=Path, default=Path("models"), metavar="DIR",
        help="the repository on this machine (default: models/)",
    )  # fmt: skip
    copying.add_argument("--force", action="store_true", help="replace a version that is there")
    actions.add_parser("pull", parents=[copying], help="copy a version here, verified")
    actions.add_parser("push", parents=[copying], help="copy a version there, once it is verified")
    verify = actions.add_parser("verify", help="compare the files of versions with their manifests")
    verify.add_argument(
        "where", metavar="REPOSITORY", type=parse_location, nargs="?",
        default=os.environ.get("SENET_MODEL_REPOSITORY", "models"),
        help="a folder or a URI (default: SENET_MODEL_REPOSITORY, or models/)",
    )  # fmt: skip
    verify.add_argument(
        "model", metavar="MODEL", nargs="*",
        help="names (all their versions) or name:version (default: all models)",
    )  # fmt: skip
    return parser
