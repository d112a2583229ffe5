"""Reading `manifest.json`, and telling what is wrong with one."""

import json
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from app.contract.errors import ConfigurationError
from app.contract.manifest import READS_SCHEMA_2, SCHEMAS, Manifest, Requirement

MANIFEST = "manifest.json"
"""The file's name in the folder of a version."""
_OPTION = "model_repository"


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
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "the whole"
        raise ConfigurationError(
            _OPTION, f"{where}, {key}: {first['msg']}", "correct the manifest or export again"
        ) from error
    if (manifest.name, manifest.version) != (name, version):
        raise ConfigurationError(
            _OPTION,
            f"{where} is of {manifest.name}:{manifest.version}",
            "move it to the folder of that name and version",
        )
    return manifest


def _other_schema(where: Path | str, data: bytes) -> ConfigurationError:
    """Names the schema that this version cannot read, and the version that can."""
    content = json.loads(data)
    schema = content["schema_version"]
    remedy = "correct the manifest or export again"
    if isinstance(schema, int) and schema > SCHEMAS[-1]:
        reader = content.get("requires")
        # This version, too, is one that reads schema 2.
        if reader == READS_SCHEMA_2 or not _is_requirement(reader):
            reader = "a later version of senet-serving"
        remedy = f"serve it with {reader}, or export the model again with this version"
    return ConfigurationError(
        _OPTION,
        f"{where} has schema {json.dumps(schema)[:20]}, this version of senet-serving reads"
        f" {' and '.join(map(str, SCHEMAS))}",
        remedy,
    )


def _is_requirement(value: object) -> bool:
    try:
        TypeAdapter(Requirement).validate_python(value)
    except ValidationError:
        return False
    return True
