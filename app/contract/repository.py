"""Finding a model version on disk and verifying it before anything is loaded."""

import hashlib
import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from app.contract.errors import ConfigurationError
from app.contract.manifest import MODEL_NAME, Manifest, Precision, Variant
from app.contract.manifest_file import MANIFEST, parse_manifest
from app.contract.self_contained import check_self_contained

_OPTION = "model_repository"
# Of names in a message.
_NAMES_TOLD = 20
_NAME = re.compile(MODEL_NAME)
_VERSION = re.compile(r"[1-9][0-9]{0,17}")


@dataclass(frozen=True)
class ModelVersion:
    """A model version on disk whose manifest is valid.

    Attributes:
        folder: `<repository>/<name>/<version>`.
        manifest: its validated manifest.
    """

    folder: Path
    manifest: Manifest

    def verified_file(self, variant: Variant) -> Path:
        """The variant's ONNX file, after comparing its SHA-256 with the manifest's.

        Raises:
            ConfigurationError: if the file cannot be read, differs, or is not all there is to it.
        """
        path = self.folder / variant.file
        data = _read(path)
        digest = hashlib.sha256(data).hexdigest()
        if digest != variant.sha256:
            raise ConfigurationError(
                _OPTION,
                f"{path} has SHA-256 {digest}, its manifest says {variant.sha256}",
                "copy the model again or export it anew",
            )
        check_self_contained(data, path)
        return path

    def golden(self) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """The golden inputs uint8 [n, height, width, 3] and logits float32 [n, classes].

        Raises:
            ConfigurationError: if a file cannot be read or has another shape or type.
        """
        size = (self.manifest.input.height, self.manifest.input.width, 3)
        inputs = self._array(self.manifest.golden.inputs)
        logits = self._array(self.manifest.golden.logits)
        classes = len(self.manifest.labels)
        if (
            inputs.dtype != np.uint8
            or inputs.shape[1:] != size
            or not len(inputs)
            or logits.dtype != np.float32
            or logits.shape != (len(inputs), classes)
        ):
            raise ConfigurationError(
                _OPTION,
                f"the golden arrays in {self.folder} are not uint8 [n, {size[0]}, {size[1]}, 3] and"
                f" float32 [n, {classes}]",
                "export the model again",
            )
        return inputs, logits

    def verify(self) -> None:
        """Looks at all that a service may load of it.

        Raises:
            ConfigurationError: see `verified_file` and `golden`.
        """
        for variant in self.manifest.variants:
            self.verified_file(variant)
        self.golden()

    def _array(self, name: str) -> NDArray[Any]:
        path = self.folder / name
        try:
            # Not `np.load`, which also opens zip archives and pickles.
            array: NDArray[Any] = np.lib.format.read_array(
                io.BytesIO(_read(path)), allow_pickle=False
            )
        except (ValueError, MemoryError) as error:  # whatever size its head claims
            raise ConfigurationError(
                _OPTION, f"{path} is no NumPy array", "export the model again"
            ) from error
        return array


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
    ) -> "ModelVersion":
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
        manifest = parse_manifest(_read(folder / MANIFEST), folder / MANIFEST, name, version)
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
    """The version that a folder of that name holds; None if that is no version."""
    return int(text) if _VERSION.fullmatch(text) else None


def select_variant(precision: Precision, manifest: Manifest) -> Variant:
    """The variant of the precision asked for.

    Raises:
        ConfigurationError: if the model lacks the precision asked for.
    """
    variants = {variant.precision: variant for variant in manifest.variants}
    if precision not in variants:
        raise ConfigurationError(
            "precision",
            f"{manifest.name}:{manifest.version} has no {precision} variant,"
            f" only {', '.join(variants)}",
            "set --precision (SENET_PRECISION) to one of them, or export that variant",
        )
    return variants[precision]


def _versions(folder: Path) -> list[int]:
    """Versions with a manifest, e.g. [1, 2]; other entries are left alone."""
    if not folder.is_dir():
        return []
    return [
        number
        for child in folder.iterdir()
        if (number := version_number(child.name)) is not None and (child / MANIFEST).is_file()
    ]


def _read(path: Path) -> bytes:
    """A file of a model version, read once, so that what is checked is what was read."""
    try:
        # A pipe or a device might never end, a link to a file is as good as the file.
        if path.exists() and not path.is_file():
            raise ConfigurationError(
                _OPTION, f"{path} is not a regular file", "restore it or export again"
            )
        return path.read_bytes()
    except OSError as error:
        raise ConfigurationError(
            _OPTION, f"{path} cannot be read ({error.strerror})", "restore it or export again"
        ) from error
