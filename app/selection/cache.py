"""Remembers between starts which engine was chosen, one small file for each set of conditions."""

import hashlib
import json
import logging
import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

logger = logging.getLogger(__name__)

_FOLDER = "senet-serving"
_DIGEST_DIGITS = 32


class StoredChoice(BaseModel):
    """The content of a file."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    schema_version: Literal[3] = 3
    conditions: dict[str, object]
    """All that the choice depends on."""
    chosen: str
    """Name of the candidate."""
    lone_threads: Annotated[int, Field(ge=0)]
    """Threads of a run that has the cores to itself; 0 if it runs like any other."""
    max_batch_size: Annotated[int, Field(ge=1)]
    """Most images in a batch that it should get."""
    usual_batch_size: Annotated[int, Field(ge=1)]
    """The most while few images wait."""
    images_per_second: dict[str, int]
    """The measurement behind it: the best speed of each candidate by its name."""


class ChoiceCache:
    """Choices in a folder. Any number of processes may share it: files are replaced whole.

    A folder that cannot be used costs a line in the log, never the start.

    Args:
        directory: the folder; made when something is stored.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def read(self, conditions: Mapping[str, object]) -> StoredChoice | None:
        """What was chosen under the very same conditions, if that is known."""
        try:
            stored = StoredChoice.model_validate_json(self._file(conditions).read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValidationError) as error:
            reason = error.strerror if isinstance(error, OSError) else "is not what was stored"
            logger.info("the cached choice %s: %s", self._file(conditions), reason)
            return None
        return stored if stored.conditions == conditions else None

    def write(self, choice: StoredChoice) -> None:
        """Stores a choice, if the folder can be written."""
        target = self._file(choice.conditions)
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=self._directory, prefix=".", suffix=".tmp")
            try:
                with os.fdopen(handle, "w") as file:
                    file.write(choice.model_dump_json(indent=1))
                Path(name).replace(target)
            except BaseException:
                with suppress(OSError):
                    Path(name).unlink()
                raise
        except OSError as error:
            logger.info(
                "the choice cannot be saved in %s (%s), so that the next start measures again; see"
                " --cache-directory (SENET_CACHE_DIRECTORY)",
                self._directory,
                error.strerror,
            )

    def _file(self, conditions: Mapping[str, object]) -> Path:
        canonical = json.dumps(conditions, sort_keys=True, separators=(",", ":"))
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        return self._directory / f"engine-{digest[:_DIGEST_DIGITS]}.json"


def choice_cache(directory: Path | None) -> ChoiceCache | None:
    """The cache in the folder of the settings, or by default in the user's.

    Args:
        directory: the setting.

    Returns:
        The cache; None if no folder is set and the user has no home.
    """
    directory = directory or user_cache_directory()
    return ChoiceCache(directory) if directory else None


def user_cache_directory(environment: Mapping[str, str] = os.environ) -> Path | None:
    """Where the user's programs keep what can be had again (XDG Base Directory Specification).

    Args:
        environment: the process's variables.

    Returns:
        The folder, which need not exist; None if the user has no home.
    """
    configured = Path(environment.get("XDG_CACHE_HOME", ""))
    if configured.is_absolute():  # the specification has relative ones ignored
        return configured / _FOLDER
    try:
        return Path.home() / ".cache" / _FOLDER
    except RuntimeError:
        return None
