"""`manifest.json` as it is written: numbers of a list on one line."""

import re
from pathlib import Path

from app.contract.errors import ConfigurationError
from app.contract.manifest import Manifest

NAME = "manifest.json"
_NUMBERS = re.compile(r"\[[\s\d.,eE+-]+\]")


def write(manifest: Manifest, directory: Path) -> None:
    """Writes the manifest of a version into its directory."""
    _write(manifest, directory / NAME)


def replace(manifest: Manifest, directory: Path) -> None:
    """Puts another manifest in the place of a version's own; a reader meets the one or the other.

    Raises:
        ConfigurationError: if it cannot be written.
    """
    stage = directory / f".{NAME}"
    try:
        _write(manifest, stage)
        stage.replace(directory / NAME)
    except OSError as error:
        raise ConfigurationError(
            "--repository",
            f"{directory / NAME} cannot be written ({error.strerror or error})",
            "choose a repository that you may write to",
        ) from error
    finally:
        stage.unlink(missing_ok=True)


def _write(manifest: Manifest, file: Path) -> None:
    requires = manifest.first_reader
    text = manifest.model_copy(update={"requires": requires}).model_dump_json(indent=1)
    file.write_text(_NUMBERS.sub(lambda found: " ".join(found[0].split()), text) + "\n")
