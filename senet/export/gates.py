"""The SE gates of a served graph: where they are, what they do, and the graph without them."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from senet.export.runtime import LOGITS

POOLS = frozenset({"ReduceMean", "GlobalAveragePool"})
_SIGMOIDS = frozenset({"Sigmoid", "HardSigmoid"})
# A gate is pool, layer, activation, layer and sigmoid, with a few reshapes at most.
_LONGEST = 10
# Parameters are named `heads.body.<block>.<SE module>.<layer>.weight`.
_PARAMETER = re.compile(r"heads\.body\.(.+)\.[^.]+\.[^.]+\.(?:weight|bias)")


@dataclass(frozen=True)
class Gate:
    """The gate of one SE block in a graph.

    Attributes:
        block: the block's name in the network, such as `layer1.0`; where the file does not tell
            it, `gate 1` and so on.
        feature_map: name of the tensor [batch, C, h, w] that is squeezed and scaled.
        gates: name of the tensor [batch, C, 1, 1] that it is scaled by.
        scale: name of the node that scales it.
        nodes: names of the nodes from the squeeze to the sigmoid.
    """

    block: str
    feature_map: str
    gates: str
    scale: str
    nodes: frozenset[str]


def find(model: ModelProto) -> list[Gate]:
    """The gates of a graph in the order of its nodes."""
    producer = {output: node for node in model.graph.node for output in node.output}
    found: list[Gate] = []
    for node in model.graph.node:
        if node.op_type != "Mul" or len(node.input) != 2:
            continue
        for feature_map, gates in (node.input, reversed(node.input)):
            chain = list(_chain(producer.get(gates), producer))
            # An activation such as SiLU scales by a sigmoid of what it scales, also behind a pool.
            if chain and not any(feature_map in member.output for member in chain):
                block = _block(chain) or f"gate {len(found) + 1}"
                names = _between(chain, model, producer)
                found.append(Gate(block, feature_map, gates, node.name, names))
                break
    return found


def exposed(model: ModelProto, gates: Sequence[Gate]) -> ModelProto:
    """A copy of `model` whose outputs are the logits and the tensors of `gates`."""
    copy = ModelProto()
    copy.CopyFrom(model)
    outputs = [output for output in copy.graph.output if output.name == LOGITS]
    outputs += [
        helper.make_tensor_value_info(gate.gates, TensorProto.FLOAT, ["batch", None, 1, 1])
        for gate in gates
    ]
    del copy.graph.output[:]
    copy.graph.output.extend(outputs)
    return copy


def frozen(model: ModelProto, constants: Mapping[Gate, NDArray[np.float32]]) -> ModelProto:
    """A copy of `model` in which gates are constants.

    Args:
        model: the graph.
        constants: gate -> its values, float32 [C].
    """
    copy = ModelProto()
    copy.CopyFrom(model)
    nodes = {node.name: node for node in copy.graph.node}
    for gate, values in constants.items():
        name = f"{gate.gates}_frozen"
        tensor = values.astype(np.float32).reshape(1, -1, 1, 1)
        copy.graph.initializer.append(numpy_helper.from_array(tensor, name))
        inputs = nodes[gate.scale].input
        inputs[list(inputs).index(gate.gates)] = name
    return copy


def _chain(node: NodeProto | None, producer: Mapping[str, NodeProto]) -> Iterator[NodeProto]:
    """The nodes from a sigmoid back to the pooling it rests on; none if that is no SE gate."""
    nodes: list[NodeProto] = []
    while node is not None and len(nodes) < _LONGEST:
        nodes.append(node)
        if node.op_type in POOLS:
            kinds = {member.op_type for member in nodes}
            yield from nodes if kinds & _SIGMOIDS else ()
            return
        node = producer.get(node.input[0]) if node.input else None


def _between(
    chain: Sequence[NodeProto], model: ModelProto, producer: Mapping[str, NodeProto]
) -> frozenset[str]:
    """Names of the chain's nodes and of those that depend on nothing else, as in a SiLU of it."""
    names = {node.name for node in chain}
    outputs = {output for node in chain for output in node.output}
    for node in model.graph.node:
        inputs = {name for name in node.input if name in producer}
        if inputs and inputs <= outputs:
            names.add(node.name)
            outputs |= set(node.output)
    return frozenset(names)


def _block(chain: Sequence[NodeProto]) -> str:
    names = (name for node in chain for name in node.input)
    return next((found[1] for found in map(_PARAMETER.match, names) if found), "")
