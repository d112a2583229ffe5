"""The colour classifier with gates, on disk."""

import hashlib
from pathlib import Path

import numpy as np

from app.contract.class_gates import stored
from tests.support.colours import COLOURS
from tests.support.repository import ManifestDict, write_model
from tests.support.signatures import signature_with_excitations, with_excitations

CHANNELS = 3 + len(COLOURS)


def write_gated_model(root: Path) -> Path:
    """A model with gates, and with what they did over two photos of class 9."""
    values = np.linspace(0, 1, 2 * CHANNELS, dtype=np.float32).reshape(2, CHANNELS)
    kept = stored(values, np.array([9, 9]), len(COLOURS))

    def change(manifest: ManifestDict) -> None:
        signature_with_excitations(manifest)
        np.save(root / "gates.npy", kept)
        photos = [2 * (index == 9) for index in range(len(COLOURS))]
        digest = hashlib.sha256((root / "gates.npy").read_bytes()).hexdigest()
        manifest["excitations"] = {
            "file": "gates.npy", "sha256": digest, "dataset": "two photos", "photos": photos,
        }  # fmt: skip

    folder = write_model(root, model=with_excitations(), change=change)
    (root / "gates.npy").rename(folder / "gates.npy")
    return folder
