"""A network as it came from its source, with all that its manifest needs."""

from dataclasses import dataclass

from torch import nn
from torch.export import ExportedProgram

from app.contract.manifest import Label, Preprocessing, Source


@dataclass(frozen=True)
class SourceModel:
    """A trained network and what is known about it.

    Attributes:
        network: maps normalised float32 [batch, 3, height, width] to logits [batch, classes];
            in evaluation mode. `senet.heads.Heads` takes it as it is.
        architecture: the network's name.
        source: where the weights came from and under which terms.
        preprocessing: how an image becomes the network's input.
        labels: the classes in the order of the logits.
        notes: what whoever exports should know about the source, in whole sentences.
    """

    network: nn.Module | ExportedProgram
    architecture: str
    source: Source
    preprocessing: Preprocessing
    labels: tuple[Label, ...]
    notes: tuple[str, ...] = ()
