"""Folds gates that are constants into the convolution beside them.

A gate that is the same for every photo only scales channels, so its squeeze and excitation are
time for nothing. Where the scaled feature map comes straight from a convolution, that takes the
gate into its weights and bias; where it goes straight into one convolution, as in inverted
residual blocks, that takes it into its input channels.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, numpy_helper

from senet.export import gates
from senet.export.gates import Gate
from senet.export.runtime import INPUT, LOGITS, Images, onnx_runner
from senet.gates.block import DEAD_SPREAD

MAX_ABS_LOGIT_DIFF = 1e-4


def fold_constant_gates(model: ModelProto, photos: Images) -> tuple[ModelProto, tuple[str, ...]]:
    """Folds every gate that is a constant, as far as the logits stay the same.

    Args:
        model: the fp32 graph; left as it is.
        photos: real photos, uint8 [n, height, width, 3].

    Returns:
        The folded copy, and the names of the blocks whose gates it no longer has. Its logits for
        the photos are within 1e-4 of those of `model`.
    """
    found = gates.find(model)
    names = [LOGITS, *(gate.gates for gate in found)]
    values = onnx_runner(gates.exposed(model, found).SerializeToString(), names)(photos)
    folded, blocks = model, list[str]()
    for gate in found:
        over_photos = values[gate.gates].reshape(len(photos), -1)
        if over_photos.std(axis=0).mean() >= DEAD_SPREAD:
            continue
        candidate = _fold(folded, gate, over_photos.mean(axis=0))
        if candidate is None:
            continue
        logits = onnx_runner(candidate.SerializeToString(), [LOGITS])(photos)[LOGITS]
        if np.abs(logits - values[LOGITS]).max() <= MAX_ABS_LOGIT_DIFF:
            folded = candidate
            blocks.append(gate.block)
    return folded, tuple(blocks)


def _fold(model: ModelProto, gate: Gate, factors: NDArray[np.float32]) -> ModelProto | None:
    """A copy of `model` in which `factors` [C] replace the gate; None if no neighbour takes it."""
    copy = ModelProto()
    copy.CopyFrom(model)
    nodes = {node.name: node for node in copy.graph.node}
    weights = {tensor.name: tensor for tensor in copy.graph.initializer}
    scale = nodes[gate.scale]
    producer = next((n for n in copy.graph.node if gate.feature_map in n.output), None)
    users = [n for n in copy.graph.node if gate.feature_map in n.input]
    after = [n for n in copy.graph.node if scale.output[0] in n.input]
    outputs = {output.name for output in copy.graph.output}
    if {gate.feature_map, scale.output[0]} & outputs:
        return None
    squeezed = all(user.name in gate.nodes or user.name == gate.scale for user in users)
    if producer is not None and _takes(producer, weights, copy) and squeezed:
        for name in producer.input[1:]:
            _multiply(weights[name], factors, axis=0)
    elif len(after) == 1 and _takes(after[0], weights, copy) and _dense(after[0]):
        _multiply(weights[after[0].input[1]], factors, axis=1)
    else:
        return None
    for node in after:
        node.input[:] = [
            gate.feature_map if name == scale.output[0] else name for name in node.input
        ]
    _remove_unused(copy)
    return copy


def _takes(node: NodeProto, weights: Mapping[str, TensorProto], model: ModelProto) -> bool:
    """Whether a node is a convolution that has its parameters to itself."""
    parameters = list(node.input[1:])
    shared = [name for other in model.graph.node for name in other.input if name in parameters]
    return (
        node.op_type == "Conv"
        and all(name in weights for name in parameters)
        and len(shared) == len(parameters)
    )


def _dense(convolution: NodeProto) -> bool:
    groups = {attribute.name: attribute.i for attribute in convolution.attribute}.get("group", 1)
    return bool(groups == 1)


def _multiply(tensor: TensorProto, factors: NDArray[np.float32], axis: int) -> None:
    values = numpy_helper.to_array(tensor)
    shape = [1] * values.ndim
    shape[axis] = -1
    product = (values * factors.reshape(shape)).astype(values.dtype)
    tensor.CopyFrom(numpy_helper.from_array(product, tensor.name))


def _remove_unused(model: ModelProto) -> None:
    """Removes nodes and parameters that no output depends on."""
    graph = model.graph
    needed = {output.name for output in graph.output}
    kept: list[NodeProto] = []
    for node in reversed(graph.node):
        if needed & set(node.output):
            needed |= set(node.input)
            kept.append(node)
    tensors = [tensor for tensor in graph.initializer if tensor.name in needed]
    values = [value for value in graph.value_info if value.name in needed | {INPUT}]
    for field, entries in (
        (graph.node, kept[::-1]),
        (graph.initializer, tensors),
        (graph.value_info, values),
    ):
        copies = [type(entry).FromString(entry.SerializeToString()) for entry in entries]
        del field[:]
        field.extend(copies)
