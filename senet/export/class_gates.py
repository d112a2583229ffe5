"""The gates over the photos of each class, kept beside a model whose files give its gates."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from app.contract import class_gates
from app.contract.manifest import Excitations
from senet.export.photos import Photos
from senet.gates.block import BlockGates

FILE = "excitations.npy"


def write(
    directory: Path, blocks: Sequence[BlockGates], photos: Photos, classes: int, dataset: str
) -> Excitations | None:
    """Writes the file.

    Args:
        directory: of the version.
        blocks: the gates over the photos.
        photos: in class folders, or not.
        classes: how many the model tells apart.
        dataset: what to call the photos.

    Returns:
        The manifest's entry; None if the photos have no classes, or there are no gates.
    """
    if not photos.targets.size or not blocks:
        return None
    values = np.concatenate([block.values for block in blocks], axis=1)
    path = directory / FILE
    np.save(path, class_gates.stored(values, photos.targets, classes))
    return Excitations(
        file=FILE,
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        dataset=dataset,
        photos=tuple(np.bincount(photos.targets, minlength=classes).tolist()),
    )
