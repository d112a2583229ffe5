"""Where model versions are found."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from app.contract.errors import ConfigurationError
from app.contract.manifest import MODEL_NAME, Manifest
from app.contract.manifest_file import MANIFEST, MOST_MANIFEST_BYTES, parse_manifest
from app.contract.model_version import ModelVersion as ModelVersion
from app.contract.model_version import read_file
from app.contract.model_version import select_variant as select_variant

_OPTION = "model_repository"
# Of names in a message.
_NAMES_TOLD = 20
_NAME = re.compile(MODEL_NAME)
_VERSION = re.compile(r"[1-9][0-9]{0,17}")


class Repository(Protocol):
    """Where model versions are: `<name>/<version>/` in a folder, or elsewhere."""

    def names(self) -> list[str]:
        """The models that are there, in the order of the alphabet.

        Raises:
            ConfigurationError: if there is no repository.
        """
        ...

    def versions(self, name: str) -> list[int]:
        """The versions that a model has folders of, rising; empty if there is no such model.

        Raises:
            ConfigurationError: if there is no repository.
        """
        ...

    def latest(self, name: str) -> int | None:
        """The highest version of a model that has a manifest; None if there is none.

        Raises:
            ConfigurationError: if there is no repository.
        """
        ...

    def stamp(self, name: str, version: int) -> tuple[object, ...]:
        """What changes when a file of a version does.

        Raises:
            ConfigurationError: if that cannot be known.
            OSError: likewise.
        """
        ...

    def manifest(self, name: str, version: int | None = None) -> Manifest:
        """The manifest of a version, of which nothing else is read.

        Args:
            name: the model's name.
            version: its version; None for the highest.

        Raises:
            ConfigurationError: if there is none, or its manifest is not valid.
        """
        ...

    def find(
        self,
        name: str,
        version: int | None = None,
        on_copy: Callable[[], None] = lambda: None,
    ) -> ModelVersion:
        """Opens a model version, with its files on this machine.

        Args:
            name: the model's name.
            version: its version; None for the highest.
            on_copy: called again and again while files are copied here; what it raises ends that.

        Raises:
            ConfigurationError: if there is none, its manifest is not valid, or it cannot be copied.
        """
        ...

    def close(self) -> None:
        """Gives up what is under way, which then raises `Draining`."""
        ...


class ModelRepository:
    """A `Repository` in a folder of this machine: `<root>/<name>/<version>/`.

    Args:
        root: the repository's folder.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def names(self) -> list[str]:
        """See `Repository`."""
        self._check()
        return sorted(
            child.name
            for child in self._root.iterdir()
            if is_model_name(child.name) and _versions(child)
        )

    def versions(self, name: str) -> list[int]:
        """See `Repository`."""
        self._check()
        return sorted(_versions(self._root / name)) if is_model_name(name) else []

    def latest(self, name: str) -> int | None:
        """See `Repository`."""
        return max(self.versions(name), default=None)

    def stamp(self, name: str, version: int) -> tuple[object, ...]:
        """See `Repository`."""
        files = sorted((self._root / name / str(version)).iterdir())
        states = ((path.name, path.stat()) for path in files)
        return tuple((file, state.st_mtime_ns, state.st_size) for file, state in states)

    def manifest(self, name: str, version: int | None = None) -> Manifest:
        """See `Repository`."""
        return self.find(name, version).manifest

    def find(
        self,
        name: str,
        version: int | None = None,
        on_copy: Callable[[], None] = lambda: None,
    ) -> ModelVersion:
        """See `Repository`; nothing has to be copied."""
        if version is None:
            version = self.latest(name)
        if version is None or version not in self.versions(name):
            wanted = name if version is None else f"{name}:{version}"
            raise ConfigurationError(
                "model",
                f"{wanted} is not in {self._root}, which holds {told(self.names())}",
                "set --model (SENET_MODEL) to one that is there",
            )
        folder = self._root / name / str(version)
        manifest = parse_manifest(
            read_file(folder / MANIFEST, MOST_MANIFEST_BYTES), folder / MANIFEST, name, version
        )
        return ModelVersion(folder, manifest)

    def close(self) -> None:
        """See `Repository`; nothing takes long."""

    def _check(self) -> None:
        if not self._root.is_dir():
            raise ConfigurationError(
                _OPTION,
                f"{self._root} is not a folder",
                "set --model-repository (SENET_MODEL_REPOSITORY) to the folder that holds"
                " <name>/<version>/manifest.json",
            )


def told(names: list[str]) -> str:
    """Names of models, for a message."""
    told = ", ".join(names[:_NAMES_TOLD])
    if len(names) > _NAMES_TOLD:
        told += f" and {len(names) - _NAMES_TOLD} others"
    return told or "no model"


def is_model_name(text: str) -> bool:
    """Whether a model may have that name."""
    return _NAME.fullmatch(text) is not None


def version_number(text: str) -> int | None:
    """The version that a folder of that name holds; None if that is not a version."""
    return int(text) if _VERSION.fullmatch(text) else None


def _versions(folder: Path) -> list[int]:
    """Versions with a manifest, e.g. [1, 2]; other entries are left alone."""
    if not folder.is_dir():
        return []
    return [
        number
        for child in folder.iterdir()
        if (number := version_number(child.name)) is not None and (child / MANIFEST).is_file()
    ]
