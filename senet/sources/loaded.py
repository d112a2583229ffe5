"""What every kind of source gives: a network, and what it knows about it."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.contract.manifest import Label
from senet.sources.network import Network


@dataclass(frozen=True)
class Loaded:
    """A network with its weights, before preprocessing and labels are settled.

    Attributes:
        network: see `SourceModel.network`.
        architecture: the network's name.
        weights: where the weights came from, for the manifest.
        licence: the weights' licence, where the source states one.
        preprocessing: values for keys of `Preprocessing` that the source states.
        labels: the classes, where the source carries them.
        notes: what whoever exports should know about it, in whole sentences.
    """

    network: Network
    architecture: str
    weights: str
    licence: str | None = None
    preprocessing: Mapping[str, Any] = field(default_factory=dict)
    labels: tuple[Label, ...] | None = None
    notes: tuple[str, ...] = ()


def described(path: Path) -> str:
    """The file's name and the digest of its content."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return f"{path.name} (sha256:{digest})"
