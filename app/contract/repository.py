"""Finding a model version on disk and verifying it before anything is loaded."""

import hashlib
import io
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from app.contract.class_gates import ClassGates
from app.contract.errors import ConfigurationError
from app.contract.manifest import (
    MODEL_NAME,
    READS_SCHEMA_2,
    SCHEMAS,
    Manifest,
    Precision,
    Requirement,
    Variant,
)
from app.contract.self_contained import check_self_contained

_OPTION = "model_repository"
# Of names in a message.
_NAMES_TOLD = 20
_NAME = re.compile(MODEL_NAME)


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
        _check_digest(path, data, variant.sha256)
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

    def class_gates(self) -> ClassGates | None:
        """What the gates did over the photos of each class; None if the export did not keep it.

        Raises:
            ConfigurationError: if the file cannot be read, differs from its digest, or has another
                shape or type.
        """
        manifest = self.manifest
        if manifest.excitations is None:
            return None
        path = self.folder / manifest.excitations.file
        _check_digest(path, _read(path), manifest.excitations.sha256)
        specs = manifest.signature.find_all("excitation")
        blocks = [(spec.block, spec.sizes[0]) for spec in specs]
        stored = self._array(manifest.excitations.file)
        shape = (2, len(manifest.labels), sum(channels for _, channels in blocks))
        if stored.dtype != np.uint8 or stored.shape != shape:
            raise ConfigurationError(
                _OPTION, f"{path} is not uint8 {list(shape)}", "export the model again"
            )
        return ClassGates(blocks, stored)

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


class ModelRepository:
    """`<root>/<name>/<version>/`.

    Args:
        root: the repository's folder.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def names(self) -> list[str]:
        """The models that are there, in the order of the alphabet.

        Raises:
            ConfigurationError: if there is no repository.
        """
        self._check()
        return sorted(
            child.name
            for child in self._root.iterdir()
            if _NAME.fullmatch(child.name) and _versions(child)
        )

    def versions(self, name: str) -> list[int]:
        """The versions of a model that are there, rising; empty if there is no such model.

        Raises:
            ConfigurationError: if there is no repository.
        """
        self._check()
        return sorted(_versions(self._root / name)) if _NAME.fullmatch(name) else []

    def stamp(self, name: str, version: int) -> tuple[object, ...]:
        """What changes when a file of a version does.

        Raises:
            OSError: if its folder cannot be read.
        """
        files = sorted((self._root / name / str(version)).iterdir())
        states = ((path.name, path.stat()) for path in files)
        return tuple((file, state.st_mtime_ns, state.st_size) for file, state in states)

    def find(self, name: str, version: int | None = None) -> ModelVersion:
        """Opens a model version.

        Args:
            name: the model's name.
            version: its version; None for the highest.

        Raises:
            ConfigurationError: if there is none, or its manifest is not valid.
        """
        versions = self.versions(name)
        if version is None and versions:
            version = versions[-1]
        if version is None or version not in versions:
            wanted = name if version is None else f"{name}:{version}"
            raise ConfigurationError(
                "model",
                f"{wanted} is not in {self._root}, which holds {self._contents()}",
                "set --model (SENET_MODEL) to one that is there",
            )
        folder = self._root / name / str(version)
        manifest = _read_manifest(folder / "manifest.json")
        if (manifest.name, manifest.version) != (name, version):
            raise ConfigurationError(
                _OPTION,
                f"{folder / 'manifest.json'} is of {manifest.name}:{manifest.version}",
                "move it to the folder of that name and version",
            )
        return ModelVersion(folder, manifest)

    def _check(self) -> None:
        if not self._root.is_dir():
            raise ConfigurationError(
                _OPTION,
                f"{self._root} is not a folder",
                "set --model-repository (SENET_MODEL_REPOSITORY) to the folder that holds"
                " <name>/<version>/manifest.json",
            )

    def _contents(self) -> str:
        names = self.names()
        told = ", ".join(names[:_NAMES_TOLD])
        if len(names) > _NAMES_TOLD:
            told += f" and {len(names) - _NAMES_TOLD} others"
        return told or "no model"


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


def _check_digest(path: Path, data: bytes, expected: str) -> None:
    digest = hashlib.sha256(data).hexdigest()
    if digest != expected:
        raise ConfigurationError(
            _OPTION,
            f"{path} has SHA-256 {digest}, its manifest says {expected}",
            "copy the model again or export it anew",
        )


def _versions(folder: Path) -> list[int]:
    """Versions with a manifest, e.g. [1, 2]; other entries are left alone."""
    if not folder.is_dir():
        return []
    return [
        int(child.name)
        for child in folder.iterdir()
        if child.name.isascii()
        and child.name.isdigit()
        and not child.name.startswith("0")
        and (child / "manifest.json").is_file()
    ]


def _read_manifest(path: Path) -> Manifest:
    data = _read(path)
    try:
        return Manifest.model_validate_json(data)
    except ValidationError as error:
        if any(found["loc"] == ("schema_version",) for found in error.errors()):
            raise _other_schema(path, data) from error
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the whole"
        raise ConfigurationError(
            _OPTION, f"{path}, {where}: {first['msg']}", "correct the manifest or export again"
        ) from error


def _other_schema(path: Path, data: bytes) -> ConfigurationError:
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
        f"{path} has schema {json.dumps(schema)[:20]}, this version of senet-serving reads"
        f" {' and '.join(map(str, SCHEMAS))}",
        remedy,
    )


def _is_requirement(value: object) -> bool:
    try:
        TypeAdapter(Requirement).validate_python(value)
    except ValidationError:
        return False
    return True


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
