"""The forms in which a trained network comes."""

from dataclasses import dataclass

from onnx import ModelProto, ValueInfoProto
from torch import nn
from torch.export import ExportedProgram


@dataclass(frozen=True)
class OnnxNetwork:
    """A network as a graph.

    Attributes:
        model: the graph, with one input and one output.
        classes: number of logits.
    """

    model: ModelProto
    classes: int

    @property
    def input(self) -> str:
        """Name of the input, float32 [batch, 3, height, width]."""
        return str(inputs_of(self.model)[0].name)

    @property
    def output(self) -> str:
        """Name of the logits, float32 [batch, classes]."""
        return str(self.model.graph.output[0].name)


Network = nn.Module | ExportedProgram | OnnxNetwork


def inputs_of(model: ModelProto) -> list[ValueInfoProto]:
    """The inputs that are not parameters, which old files list among them."""
    constants = {tensor.name for tensor in model.graph.initializer}
    return [value for value in model.graph.input if value.name not in constants]
