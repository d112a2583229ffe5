"""A network as it came from its source, with all that its manifest needs."""

from dataclasses import dataclass

from app.contract.manifest import Label, Preprocessing, Source
from senet.sources.network import Network, OnnxNetwork


@dataclass(frozen=True)
class SourceModel:
    """A trained network and what is known about it.

    Attributes:
        network: maps normalised float32 [batch, 3, height, width] to logits [batch, classes];
            in evaluation mode. Unless it is a graph, `senet.heads.Heads` takes it as it is.
        architecture: the network's name.
        source: where the weights came from and under which terms.
        preprocessing: how an image becomes the network's input.
        labels: the classes in the order of the logits.
        notes: what whoever exports should know about the source, in whole sentences.
    """

    network: Network
    architecture: str
    source: Source
    preprocessing: Preprocessing
    labels: tuple[Label, ...]
    notes: tuple[str, ...] = ()

    @property
    def reference(self) -> str:
        """What the served graph is compared with."""
        return "the given ONNX file" if isinstance(self.network, OnnxNetwork) else "PyTorch fp32"
