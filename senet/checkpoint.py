"""The training checkpoint on disk: all that export needs, and what a resume needs."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError
from torch import Tensor

from app.contract.errors import ConfigurationError
from app.contract.manifest import Label, Preprocessing
from senet.safe_load import safe_load

_FORMAT = "senet-checkpoint-1"


@dataclass(frozen=True)
class Checkpoint:
    """A trained network and everything needed to serve it.

    Attributes:
        architecture: name that `senet.networks.build` knows.
        labels: the classes, in the order of the logits.
        preprocessing: how photos become the network's input.
        weights: state dict of the network to serve (the moving average of the training weights).
        provenance: data set, epochs and seed in one readable line.
    """

    architecture: str
    labels: tuple[Label, ...]
    preprocessing: Preprocessing
    weights: dict[str, Tensor]
    provenance: str


def save(path: Path, checkpoint: Checkpoint, training: Mapping[str, Any] | None = None) -> None:
    """Writes a checkpoint beside `path`, then renames it: `path` is never half-written.

    Args:
        path: file to write, replaced if it exists.
        checkpoint: what to serve.
        training: state for a resume, of tensors and plain Python values.

    Raises:
        OSError: if it cannot be written; nothing half-written is left.
    """
    content = {
        "format": _FORMAT,
        "architecture": checkpoint.architecture,
        "labels": [label.model_dump() for label in checkpoint.labels],
        "preprocessing": checkpoint.preprocessing.model_dump(mode="json"),
        "weights": dict(checkpoint.weights),
        "provenance": checkpoint.provenance,
        "training": None if training is None else dict(training),
    }
    partial = path.with_name(path.name + ".partial")
    try:
        torch.save(content, partial)
        partial.replace(path)
    except (OSError, RuntimeError) as error:
        partial.unlink(missing_ok=True)
        # torch reports a full disk as a RuntimeError without its cause.
        raise OSError(f"{path} cannot be written") from error


def load(path: Path) -> Checkpoint:
    """Reads what `save` wrote, running none of the code a pickle may hold.

    Raises:
        ConfigurationError: if the file is missing, damaged or not such a checkpoint.
    """
    content = _read(path)
    try:
        return Checkpoint(
            architecture=str(content["architecture"]),
            labels=tuple(Label.model_validate(label) for label in content["labels"]),
            preprocessing=Preprocessing.model_validate(content["preprocessing"]),
            weights=dict(content["weights"]),
            provenance=str(content["provenance"]),
        )
    except (KeyError, TypeError, ValidationError) as error:
        raise _refusal(path, "lacks what a checkpoint of this project holds") from error


def load_training(path: Path) -> dict[str, Any] | None:
    """Reads the state for a resume, or None if the checkpoint was saved without.

    Raises:
        ConfigurationError: as `load`.
    """
    training: dict[str, Any] | None = _read(path).get("training")
    return training


def _read(path: Path) -> dict[str, Any]:
    content = safe_load(path, "checkpoint")
    if not isinstance(content, dict) or content.get("format") != _FORMAT:
        raise _refusal(path, "is not a checkpoint of this project")
    return content


def _refusal(path: Path, cause: str) -> ConfigurationError:
    return ConfigurationError("checkpoint", f"{path} {cause}", "give a file that training wrote")
