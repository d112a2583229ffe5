"""A network that came as ONNX, with our input before it and our outputs behind it."""

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, compose, helper, numpy_helper

from app.contract.manifest import Input, Preprocessing
from app.contract.signature import BATCH
from senet.export.graph_values import maps_of_positions
from senet.export.onnx_file import strip
from senet.export.runtime import CAM, EMBEDDING, INPUT, LOGITS, Images, Outputs, Run
from senet.sources.network import OnnxNetwork

# As of networks that come from PyTorch, so that gates get their blocks' names.
_PREFIX = "heads.body."
_NORMALISED = "normalised"
# The first version of the format in which parameters need not be inputs.
_PARAMETERS_APART = 4
# What may stand between a spatial average and the classifier that takes it.
_RESHAPING = {"Flatten", "Reshape", "Squeeze", "Identity", "Dropout"}
_AVERAGES = {"GlobalAveragePool", "ReduceMean"}


def wrapped(network: OnnxNetwork, preprocessing: Preprocessing, size: Input) -> ModelProto:
    """The served graph: pixels in, normalisation inside; embedding and cam where they show.

    Args:
        network: what to wrap; left as it is.
        preprocessing: gives `mean` and `std`, in units of 0..1.
        size: of the images.
    """
    model = ModelProto()
    model.CopyFrom(compose.add_prefix(network.model, _PREFIX))
    graph = model.graph
    _rename(model, _PREFIX + network.input, _NORMALISED)
    _rename(model, _PREFIX + network.output, LOGITS)
    mean, std = np.array(preprocessing.mean), np.array(preprocessing.std)
    graph.initializer.extend(
        [
            _over_a_row("scale", 1 / (255 * std), size.width),
            _over_a_row("shift", -mean / std, size.width),
        ]
    )
    before = [
        helper.make_node("Cast", [INPUT], ["pixels"], "to_float", to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["pixels"], ["planes"], "to_planes", perm=[0, 3, 1, 2]),
        helper.make_node("Mul", ["planes", "scale"], ["scaled"], "scaling"),
        helper.make_node("Add", ["scaled", "shift"], [_NORMALISED], "shifting"),
    ]
    nodes = [*before, *(_named(node, index) for index, node in enumerate(graph.node))]
    del graph.node[:]
    graph.node.extend(nodes)
    shape: list[str | int | None] = [BATCH, size.height, size.width, 3]
    pixels = helper.make_tensor_value_info(INPUT, TensorProto.UINT8, shape)
    logits = helper.make_tensor_value_info(LOGITS, TensorProto.FLOAT, [BATCH, network.classes])
    # Old files list their parameters among the inputs, where they could be given anew.
    del graph.input[:], graph.output[:]
    model.ir_version = max(model.ir_version, _PARAMETERS_APART)
    graph.input.append(pixels)
    graph.output.append(logits)
    _add_heads(model, network.classes)
    strip(model)
    return model


def reference_run(network: OnnxNetwork, preprocessing: Preprocessing) -> Run:
    """Runs the network as it came, on pixels that NumPy normalises."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        network.model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    mean, std = (np.array(values, np.float32) for values in (preprocessing.mean, preprocessing.std))

    def run(images: Images) -> Outputs:
        normalised = (images.astype(np.float32) / np.float32(255) - mean) / std
        planes = np.ascontiguousarray(normalised.transpose(0, 3, 1, 2))
        [logits] = session.run([network.output], {network.input: planes})
        return {LOGITS: logits}

    return run


def _rename(model: ModelProto, name: str, new: str) -> None:
    graph = model.graph
    for node in graph.node:
        node.input[:] = [new if value == name else value for value in node.input]
        node.output[:] = [new if value == name else value for value in node.output]
    for value in (*graph.input, *graph.output, *graph.value_info):
        if value.name == name:
            value.name = new


def _named(node: NodeProto, index: int) -> NodeProto:
    """A copy with a name, by which the parts of the graph are known."""
    copy = NodeProto()
    copy.CopyFrom(node)
    copy.name = f"{node.op_type}_{index}" if node.name in ("", _PREFIX) else node.name
    return copy


def _over_a_row(name: str, channels: NDArray[np.float64], width: int) -> TensorProto:
    """[channels] -> [1, channels, 1, width]; see `senet.export.graph`."""
    row = np.repeat(channels.astype(np.float32)[None, :, None, None], width, axis=3)
    return numpy_helper.from_array(row, name)


def _add_heads(model: ModelProto, classes: int) -> None:
    """Adds `embedding` and `cam` as outputs, as far as the last layers are what they come from."""
    graph = model.graph
    producer = {output: node for node in graph.node for output in node.output}
    constants = {tensor.name: tensor for tensor in graph.initializer}
    classifier = producer[LOGITS]
    if classifier.op_type == "Add":
        others = [producer[name] for name in classifier.input if name in producer]
        classifier = others[0] if len(others) == 1 else classifier
    if classifier.op_type not in {"Gemm", "MatMul"} or classifier.input[1] not in constants:
        return
    attributes = {entry.name: helper.get_attribute_value(entry) for entry in classifier.attribute}
    if attributes.get("transA", 0) or attributes.get("alpha", 1.0) != 1.0:
        return
    weight = numpy_helper.to_array(constants[classifier.input[1]])
    weight = weight if attributes.get("transB", 0) else weight.T
    if weight.ndim != 2 or len(weight) != classes:
        return
    embedding = classifier.input[0]
    feature_map = _averaged(embedding, producer, model)
    _rename(model, embedding, EMBEDDING)
    shape = [BATCH, weight.shape[1]]
    graph.output.append(helper.make_tensor_value_info(EMBEDDING, TensorProto.FLOAT, shape))
    if feature_map is None:
        return
    kernel = np.ascontiguousarray(weight.astype(np.float32)[:, :, None, None])
    graph.initializer.append(numpy_helper.from_array(kernel, "heads.map_weight"))
    graph.node.append(
        helper.make_node("Conv", [feature_map, "heads.map_weight"], [CAM], "heads.maps")
    )
    positions = maps_of_positions(model)[feature_map]
    maps: list[str | int] = [BATCH, classes, *positions]
    graph.output.append(helper.make_tensor_value_info(CAM, TensorProto.FLOAT, maps))


def _averaged(name: str, producer: dict[str, NodeProto], model: ModelProto) -> str | None:
    """Name of the map of several positions whose spatial average `name` is, if it is one."""
    node = producer.get(name)
    while node is not None and node.op_type in _RESHAPING:
        node = producer.get(node.input[0])
    if node is None or node.op_type not in _AVERAGES:
        return None
    source = str(node.input[0])
    if node.op_type == "ReduceMean" and not _over_space(node, model):
        return None
    return source if source in maps_of_positions(model) else None


def _over_space(node: NodeProto, model: ModelProto) -> bool:
    """Whether a ReduceMean is over height and width."""
    axes = [list(entry.ints) for entry in node.attribute if entry.name == "axes"]
    if not axes and len(node.input) > 1:
        axes = [
            numpy_helper.to_array(tensor).tolist()
            for tensor in model.graph.initializer
            if tensor.name == node.input[1]
        ]
    return bool(axes) and {int(axis) % 4 for axis in axes[0]} == {2, 3}
