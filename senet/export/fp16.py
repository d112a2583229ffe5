"""fp32 -> fp16 typed into the graph, for GPUs.

The trunk computes in fp16. Pixels, normalisation and heads stay fp32: a value range of 0..255
would cost fp16 a good part of its 11 bits, and the softmax gets logits that were never rounded.
"""

from collections.abc import Iterable

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from app.contract.errors import ConfigurationError
from senet.export.graph_values import float_values
from senet.export.regions import regions

# Plain, since numpy would compare in fp16, where a larger number is infinite.
_LARGEST = float(np.finfo(np.float16).max)


def to_fp16(model: ModelProto) -> ModelProto:
    """A copy of `model` whose trunk is fp16; inputs and outputs keep their types.

    Raises:
        ConfigurationError: if a weight is beyond fp16's range (65504).
    """
    names = regions(model).trunk
    half = ModelProto()
    half.CopyFrom(model)
    graph = half.graph
    trunk = [node for node in graph.node if node.name in names]
    rest = [node for node in graph.node if node.name not in names]
    weights = {t.name: t for t in graph.initializer if t.data_type == TensorProto.FLOAT}
    # Shapes and indices, which a network may compute from its batch, are integers and stay so.
    floats = float_values(model)
    entering = _inputs(trunk) & _outputs(rest) & floats
    leaving = _inputs(rest) & _outputs(trunk) & floats

    for name in sorted(_inputs(trunk) & set(weights)):
        graph.initializer.append(_halved(weights[name]))
    for name in sorted(set(weights) - _inputs(rest)):
        graph.initializer.remove(weights[name])
    for node in trunk:
        _rename(node, entering | set(weights), "fp16")
        _retype(node)
    for node in rest:
        _rename(node, leaving, "fp32")

    nodes: list[NodeProto] = []
    for node in graph.node:
        nodes.append(node)
        nodes += [_cast(name, "fp16") for name in node.output if name in entering]
        nodes += [_cast(name, "fp32") for name in node.output if name in leaving]
    # The recorded types of inner values no longer hold; ONNX Runtime infers them.
    del graph.value_info[:]
    replaced = [_clone(node) for node in nodes]
    del graph.node[:]
    graph.node.extend(replaced)
    return half


def _inputs(nodes: Iterable[NodeProto]) -> set[str]:
    return {name for node in nodes for name in node.input}


def _outputs(nodes: Iterable[NodeProto]) -> set[str]:
    return {name for node in nodes for name in node.output}


def _rename(node: NodeProto, names: set[str], precision: str) -> None:
    renamed = [f"{name}.{precision}" if name in names else name for name in node.input]
    del node.input[:]
    node.input.extend(renamed)


def _retype(node: NodeProto) -> None:
    """Turns what a node says of fp32 in its attributes into fp16."""
    for attribute in node.attribute:
        if node.op_type == "Cast" and attribute.name == "to" and attribute.i == TensorProto.FLOAT:
            attribute.i = TensorProto.FLOAT16
        elif attribute.name == "value" and attribute.t.data_type == TensorProto.FLOAT:
            attribute.t.CopyFrom(_halved(attribute.t))


def _halved(tensor: TensorProto) -> TensorProto:
    values = numpy_helper.to_array(tensor)
    largest = float(np.abs(values).max(initial=0))
    if not largest <= _LARGEST:
        raise ConfigurationError(
            "--precision",
            f"weight {tensor.name} holds {largest:.3g}, beyond the range of fp16",
            "leave fp16 out",
        )
    return numpy_helper.from_array(values.astype(np.float16), f"{tensor.name}.fp16")


def _cast(name: str, precision: str) -> NodeProto:
    to = TensorProto.FLOAT16 if precision == "fp16" else TensorProto.FLOAT
    return helper.make_node(
        "Cast", [name], [f"{name}.{precision}"], name=f"{name}.to_{precision}", to=to
    )


def _clone(node: NodeProto) -> NodeProto:
    copy = NodeProto()
    copy.CopyFrom(node)
    return copy
