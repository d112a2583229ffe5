"""A model version on this machine, whose files are verified before they are loaded."""

import hashlib
import io
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.contract.class_gates import ClassGates
from app.contract.errors import ConfigurationError
from app.contract.manifest import Manifest, Precision, Variant
from app.contract.self_contained import check_self_contained

_OPTION = "model_repository"
# A thousand images at 299 px.
_MOST_GOLDEN_BYTES = 256 * 2**20
# Of an array's head, which tells its shape.
_HEAD_BYTES = 4096
# So that an array of another type is told as that.
_LARGEST_ITEM_BYTES = 8


@dataclass(frozen=True)
class ModelVersion:
    """A model version on disk whose manifest is valid.

    Attributes:
        folder: `<repository>/<name>/<version>`.
        manifest: its validated manifest.
    """

    folder: Path
    manifest: Manifest

    def verified_file(self, variant: Variant, pause: Callable[[], None] = lambda: None) -> Path:
        """The variant's ONNX file, after comparing its SHA-256 with the manifest's.

        Args:
            variant: one of the manifest's.
            pause: see `check_self_contained`.

        Raises:
            ConfigurationError: if the file cannot be read, differs, or is not all there is to it.
        """
        path = self.folder / variant.file
        data = read_file(path)
        _check_digest(path, data, variant.sha256)
        check_self_contained(data, path, pause)
        return path

    def golden(self) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """The golden inputs uint8 [n, height, width, 3] and logits float32 [n, classes].

        Raises:
            ConfigurationError: if a file cannot be read or has another shape or type.
        """
        size = (self.manifest.input.height, self.manifest.input.width, 3)
        inputs = self._array(self.manifest.golden.inputs, _MOST_GOLDEN_BYTES)
        logits = self._array(self.manifest.golden.logits, _MOST_GOLDEN_BYTES)
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
            ConfigurationError: see `verified_file`, `golden` and `class_gates`.
        """
        for variant in self.manifest.variants:
            self.verified_file(variant)
        self.golden()
        self.class_gates()

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
        specs = manifest.signature.find_all("excitation")
        blocks = [(spec.block, spec.sizes[0]) for spec in specs]
        shape = (2, len(manifest.labels), sum(channels for _, channels in blocks))
        limit = _LARGEST_ITEM_BYTES * math.prod(shape) + _HEAD_BYTES
        _check_digest(path, read_file(path, limit), manifest.excitations.sha256)
        stored = self._array(manifest.excitations.file, limit)
        if stored.dtype != np.uint8 or stored.shape != shape:
            raise ConfigurationError(
                _OPTION, f"{path} is not uint8 {list(shape)}", "export the model again"
            )
        return ClassGates(blocks, stored)

    def _array(self, name: str, limit_bytes: int) -> NDArray[Any]:
        path = self.folder / name
        try:
            # Not `np.load`, which also opens zip archives and pickles.
            array: NDArray[Any] = np.lib.format.read_array(
                io.BytesIO(read_file(path, limit_bytes)), allow_pickle=False
            )
        except (ValueError, MemoryError) as error:  # whatever size its head claims
            raise ConfigurationError(
                _OPTION, f"{path} is not a NumPy array", "export the model again"
            ) from error
        return array


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


def read_file(path: Path, limit_bytes: int | None = None) -> bytes:
    """A file of a model version, read once, so that what is checked is what was read.

    Args:
        path: the file.
        limit_bytes: if it is larger, it is not read.

    Raises:
        ConfigurationError: if it cannot be read, or is too large for that.
    """
    try:
        # A pipe or a device might never end, a link to a file is as good as the file.
        if path.exists() and not path.is_file():
            raise ConfigurationError(
                _OPTION, f"{path} is not a regular file", "restore it or export again"
            )
        size = path.stat().st_size
        if limit_bytes is not None and size > limit_bytes:
            raise ConfigurationError(
                _OPTION,
                f"{path} has {size} bytes, at most {limit_bytes} are read",
                "restore it or export again",
            )
        return path.read_bytes()
    except OSError as error:
        raise ConfigurationError(
            _OPTION, f"{path} cannot be read ({error.strerror})", "restore it or export again"
        ) from error
    except MemoryError as error:
        raise ConfigurationError(
            _OPTION, f"{path} does not fit into memory", "restore it or export again"
        ) from error
