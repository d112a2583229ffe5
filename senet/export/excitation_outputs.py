"""The gates of SE blocks as outputs of a served graph."""

from collections.abc import Mapping

from onnx import ModelProto, NodeProto, TensorProto, TypeProto, helper, shape_inference
from pydantic import TypeAdapter, ValidationError

from app.contract.errors import ConfigurationError
from app.contract.signature import BATCH, EXCITATION, TensorName
from senet.export import gates

# In int8 graphs gates are rounded on their way to the feature map that they scale. What they are
# before that costs nothing to give.
_ROUNDING = frozenset({"QuantizeLinear", "DequantizeLinear"})


def with_excitations(model: ModelProto, option: str = "--excitations") -> ModelProto:
    """A copy of a graph of any precision that gives its gates, and computes the rest as before.

    Args:
        model: the graph.
        option: the command-line option that asked for it, for messages.

    Returns:
        The copy, with an output `excitation.<block>` float32 [batch, channels] for each SE block.

    Raises:
        ConfigurationError: if it has no gates, or has such outputs already.
    """
    copy = ModelProto()
    copy.CopyFrom(model)
    graph = copy.graph
    found = gates.find(copy)
    if not found:
        raise ConfigurationError(
            option, "the network has no gates that depend on the photo", "leave it out"
        )
    if any(output.name.startswith(EXCITATION) for output in graph.output):
        raise ConfigurationError(option, "the model gives its excitations already", "leave it out")
    producer = {output: node for node in graph.node for output in node.output}
    inferred = shape_inference.infer_shapes(model).graph
    types = {value.name: value.type.tensor_type for value in inferred.value_info}
    taken = {output.name for output in graph.output}
    for number, gate in enumerate(found, start=1):
        source = _unrounded(gate.gates, producer)
        channels = _channels(types[source], option)
        name = _name(gate.block, number, taken)
        taken.add(name)
        if types[source].elem_type != TensorProto.FLOAT:
            exact = f"{name}.fp32"
            graph.node.append(
                helper.make_node("Cast", [source], [exact], f"{name}.cast", to=TensorProto.FLOAT)
            )
            source = exact
        graph.node.append(helper.make_node("Flatten", [source], [name], f"{name}.flatten", axis=1))
        graph.output.append(
            helper.make_tensor_value_info(name, TensorProto.FLOAT, [BATCH, channels])
        )
    return copy


def _unrounded(name: str, producer: Mapping[str, NodeProto]) -> str:
    while (node := producer.get(name)) is not None and node.op_type in _ROUNDING:
        name = node.input[0]
    return name


def _channels(kind: TypeProto.Tensor, option: str) -> int:
    _, *sizes = (int(size.dim_value) for size in kind.shape.dim)
    if not all(sizes):
        raise ConfigurationError(
            option, "the number of channels of a gate is not known", "leave it out"
        )
    channels = 1
    for size in sizes:
        channels *= size
    return channels


def _name(block: str, number: int, taken: set[str]) -> str:
    """`excitation.<block>`, or the gate's number where that is taken or no name of a tensor."""
    name = EXCITATION + block
    try:
        TypeAdapter(TensorName).validate_python(name)
    except ValidationError:
        name = ""
    return name if name and name not in taken else f"{EXCITATION}gate-{number}"
