"""Reading `manifest.json`, and telling what is wrong with one."""

import json
import re
from pathlib import Path

from pydantic import TypeAdapter, ValidationError
from typing_extensions import TypedDict

from app.contract.errors import ConfigurationError
from app.contract.manifest import SCHEMAS, Manifest, Requirement
from app.contract.repeated_keys import repeated_key
from app.contract.strict import first_fault
from app.version import VERSION

MANIFEST = "manifest.json"
"""The file's name in the folder of a version."""
MOST_MANIFEST_BYTES = 32 * 2**20
"""Far more than the labels of any data set take; what is larger is not read."""
_OPTION = "model_repository"


class _Requiring(TypedDict):
    """What a manifest has in any schema."""

    requires: Requirement


def parse_manifest(data: bytes, where: Path | str, name: str, version: int) -> Manifest:
    """The manifest of a version.

    Args:
        data: the file's content.
        where: the file, for messages.
        name: of the model in whose folder it is.
        version: in whose folder it is.

    Raises:
        ConfigurationError: if it is not valid, or of another model or version.
    """
    try:
        manifest = Manifest.model_validate_json(data)
    except ValidationError as error:
        if any(found["loc"] == ("schema_version",) for found in error.errors()):
            raise _other_schema(where, data) from error
        remedy = "correct the manifest or export again"
        if (reader := _later_reader(data)) is not None:
            remedy = f"serve it with {reader} (this is {VERSION}), or {remedy} with this version"
        raise ConfigurationError(_OPTION, f"{where}, {first_fault(error)}", remedy) from error
    if (repeated := repeated_key(data)) is not None:
        raise ConfigurationError(
            _OPTION, f"{where}, {repeated}: stands twice in one object", "correct the manifest"
        )
    if (manifest.name, manifest.version) != (name, version):
        raise ConfigurationError(
            _OPTION,
            f"{where} is of {manifest.name}:{manifest.version}",
            "move it to the folder of that name and version",
        )
    return manifest


def _other_schema(where: Path | str, data: bytes) -> ConfigurationError:
    """Names the schema that this version cannot read, and the version that can."""
    schema = json.loads(data)["schema_version"]
    remedy = "correct the manifest or export again"
    if isinstance(schema, int) and schema > SCHEMAS[-1]:
        reader = _later_reader(data) or "a later version of senet-serving"
        remedy = f"serve it with {reader}, or export the model again with this version"
    return ConfigurationError(
        _OPTION,
        f"{where} has schema {json.dumps(schema)[:20]}, this version of senet-serving reads"
        f" {' and '.join(map(str, SCHEMAS))}",
        remedy,
    )


def _later_reader(data: bytes) -> str | None:
    """The version that a manifest requires, if it is later than this one."""
    try:
        reader = TypeAdapter(_Requiring).validate_json(data)["requires"]
    except ValidationError:
        return None
    return reader if _numbers(reader.partition(">=")[2]) > _numbers(VERSION) else None


def _numbers(version: str) -> tuple[int, ...]:
    """Major, minor and patch, for comparing; 0.3.0rc1 reads what 0.3.0 does."""
    numbers = re.split(r"[a-z]", version, maxsplit=1)[0]
    return tuple(int(number) for number in numbers.split("."))
