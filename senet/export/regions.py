"""Which nodes of a served graph normalise, which extract features, which gate, which classify."""

from collections import deque
from dataclasses import dataclass

from onnx import ModelProto, NodeProto

from senet.export import gates
from senet.export.graph_values import maps_of_positions
from senet.export.runtime import CAM, LOGITS


@dataclass(frozen=True)
class Regions:
    """Names of the nodes of each part of a served graph.

    Attributes:
        normalisation: from the pixels to the first convolution.
        trunk: from the first convolution to the last feature map, gates included.
        gates: squeeze and excitation of each SE block, pool to sigmoid; a part of the trunk.
        heads: from the last feature map to the outputs.
    """

    normalisation: frozenset[str]
    trunk: frozenset[str]
    gates: frozenset[str]
    heads: frozenset[str]


def regions(model: ModelProto) -> Regions:
    """Finds the parts of a graph as `onnx_file.to_onnx` writes it (nodes in topological order)."""
    nodes = list(model.graph.node)
    producer = {output: node for node in nodes for output in node.output}
    gating = frozenset().union(*(gate.nodes for gate in gates.find(model)))
    body = _ancestors(producer[_feature_map(model, producer)], producer)
    first = next(index for index, node in enumerate(nodes) if node.op_type == "Conv")
    before = frozenset(node.name for node in nodes[:first]) & body
    trunk = body - before
    return Regions(
        normalisation=before,
        trunk=trunk,
        gates=gating & trunk,
        heads=frozenset(node.name for node in nodes) - body,
    )


def _feature_map(model: ModelProto, producer: dict[str, NodeProto]) -> str:
    """Name of the last feature map, where the heads begin.

    That is what the class activation map is made of; in a graph without one, the last tensor of
    channels at several positions.
    """
    if CAM in producer:
        return str(producer[CAM].input[0])
    before = _ancestors(producer[LOGITS], producer)
    maps = maps_of_positions(model)
    names = [node.output[0] for node in model.graph.node if node.name in before]
    return next((name for name in reversed(names) if name in maps), LOGITS)


def _ancestors(node: NodeProto, producer: dict[str, NodeProto]) -> frozenset[str]:
    """The names of `node` and of all nodes that it depends on."""
    found = {node.name}
    queue = deque([node])
    while queue:
        for name in queue.popleft().input:
            parent = producer.get(name)
            if parent is not None and parent.name not in found:
                found.add(parent.name)
                queue.append(parent)
    return frozenset(found)
