"""ONNX classifiers as other exporters write them, made of a few operators."""

from pathlib import Path

import numpy as np
import onnx
from onnx import ModelProto, TensorProto, helper, numpy_helper

CHANNELS, CLASSES, SIDE = 4, 3, 32


def classifier(
    *,
    channels: int = 3,
    batch: str | int = "N",
    head: str = "Gemm",
    last: str | None = None,
    opset: int = 17,
    kind: int = TensorProto.FLOAT,
    shape: tuple[str | int, ...] | None = None,
) -> ModelProto:
    """Convolution, ReLU, average over space, and a classifier; its values have names of ours too.

    Args:
        channels: of the images.
        batch: the input's first dimension.
        head: Gemm, MatMul (with an Add behind it), or Conv, on the pooled map.
        last: an activation behind the logits.
        opset: version of the operators.
        kind: type of the input.
        shape: of the input, if it is not [batch, channels, 32, 32].
    """
    generator = np.random.default_rng(0)
    kernel = generator.normal(size=(CHANNELS, channels, 3, 3)).astype(np.float32)
    weight = generator.normal(size=(CLASSES, CHANNELS)).astype(np.float32)
    constants = {"kernel": kernel, "bias": generator.normal(size=CLASSES).astype(np.float32)}
    nodes = [
        helper.make_node("Conv", ["images", "kernel"], ["logits"], strides=[4, 4]),
        helper.make_node("Relu", ["logits"], ["features"]),
        helper.make_node("GlobalAveragePool", ["features"], ["pooled"]),
    ]
    if head == "Conv":
        constants["weight"] = weight[:, :, None, None]
        nodes.append(helper.make_node("Conv", ["pooled", "weight", "bias"], ["classes"]))
        nodes.append(helper.make_node("Flatten", ["classes"], ["cam"]))
    else:
        nodes.append(helper.make_node("Flatten", ["pooled"], ["flat"]))
    if head == "Gemm":
        constants["weight"] = weight
        nodes.append(helper.make_node("Gemm", ["flat", "weight", "bias"], ["cam"], transB=1))
    if head == "MatMul":
        constants["weight"] = np.ascontiguousarray(weight.T)
        nodes.append(helper.make_node("MatMul", ["flat", "weight"], ["product"]))
        nodes.append(helper.make_node("Add", ["product", "bias"], ["cam"]))
    output = "cam"
    if last is not None:
        output = "scores"
        nodes.append(helper.make_node(last, ["cam"], [output]))
    graph = helper.make_graph(
        nodes,
        "classifier",
        [helper.make_tensor_value_info("images", kind, shape or (batch, channels, SIDE, SIDE))],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["N", CLASSES])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    opsets = [helper.make_opsetid("", opset)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def written(model: ModelProto, folder: Path) -> Path:
    path = folder / "classifier.onnx"
    onnx.save(model, path)
    return path
