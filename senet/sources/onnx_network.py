"""Classifiers that others exported to ONNX: float pixels in NCHW, one tensor of logits."""

from pathlib import Path
from typing import Any

import onnx
from google.protobuf.message import DecodeError
from onnx import (
    ModelProto,
    NodeProto,
    TensorProto,
    ValueInfoProto,
    shape_inference,
    version_converter,
)

from app.contract.errors import ConfigurationError
from senet.sources.loaded import Loaded, described
from senet.sources.network import OnnxNetwork, inputs_of

_OPTION = "--onnx"
# Older opsets lack what int8 and fp16 are written in; this is the newest that every tool here has.
_OLDEST_OPSET, _TAKEN_OPSET = 13, 20
# The usual share of the resized photo that the crop leaves, 224 of 256 pixels.
_CROP_FRACTION = 0.875
_SOFTMAX = {"Softmax", "LogSoftmax"}


def load(file: Path) -> Loaded:
    """Loads a graph and takes what it says about its images.

    Raises:
        ConfigurationError: if the file is missing, damaged, or another kind of network.
    """
    model = _read(file)
    height, width = _size(model, file)
    notes = _take_logits(model, file)
    network = OnnxNetwork(model, _classes(model, file))
    stated: dict[str, Any] = {}
    if height and width:
        side = round(max(height, width) / _CROP_FRACTION)
        stated = {"crop_height": height, "crop_width": width, "resize_shorter_side": side}
        notes.append(
            f"The file does not say how photos are cropped; {_CROP_FRACTION:g} of the resized"
            " photo is taken unless --resize-shorter-side says otherwise."
        )
    return Loaded(network, file.stem, described(file), preprocessing=stated, notes=tuple(notes))


def _read(file: Path) -> ModelProto:
    try:
        model = onnx.load(file)
        onnx.checker.check_model(model)
        opset = next(
            entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")
        )
        if opset < _OLDEST_OPSET:
            model = version_converter.convert_version(model, _TAKEN_OPSET)
        return shape_inference.infer_shapes(model)
    except (OSError, DecodeError) as error:
        raise _refusal(f"{file} is missing, truncated or no ONNX file", "give another") from error
    # The library's checks and conversions raise errors of many types.
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise _refusal(
            f"{file} is not a valid graph of ONNX's own operators ({reason})",
            f"export the network anew, with opset {_OLDEST_OPSET} or later",
        ) from error


def _size(model: ModelProto, file: Path) -> tuple[int, int]:
    """Height and width of the images, each 0 if the graph leaves it open."""
    inputs = inputs_of(model)
    if len(inputs) != 1:
        names = ", ".join(value.name for value in inputs) or "none"
        raise _refusal(
            f"{file} has {len(inputs)} inputs ({names})", "export a network of one image"
        )
    tensor = inputs[0].type.tensor_type
    shape = [dimension.dim_value for dimension in tensor.shape.dim]
    kind = TensorProto.DataType.Name(tensor.elem_type).lower()
    if tensor.elem_type != TensorProto.FLOAT or len(shape) != 4:
        raise _refusal(
            f"{file} takes {kind} {shape}, not float [batch, 3, height, width]",
            "export the network without its preprocessing, in float32",
        )
    if shape[1] == 1:
        raise _refusal(
            f"{file} takes images of one channel, and only colour images are served",
            "export the network with a first layer that takes three channels",
        )
    if shape[1] != 3:
        order = (
            "with channels last" if shape[3] == 3 else f"of {shape[1] or 'any number of'} channels"
        )
        raise _refusal(f"{file} takes images {order}", "export it for [batch, 3, height, width]")
    if shape[0]:
        raise _refusal(f"{file} has a fixed batch of {shape[0]}", "export it with a dynamic batch")
    return shape[2], shape[3]


def _take_logits(model: ModelProto, file: Path) -> list[str]:
    """Makes the logits the only output; returns what was done about it."""
    graph = model.graph
    if len(graph.output) != 1:
        names = ", ".join(value.name for value in graph.output)
        raise _refusal(
            f"{file} has {len(graph.output)} outputs ({names})", "export its logits alone"
        )
    producer = {name: node for node in graph.node for name in node.output}
    last: NodeProto | None = producer.get(graph.output[0].name)
    if last is not None and last.op_type == "Sigmoid":
        raise _refusal(
            f"{file} ends in a sigmoid: several labels a photo, while scores here sum to 1",
            "export a network of which each photo has one class",
        )
    if last is None or last.op_type not in _SOFTMAX:
        return []
    logits = ValueInfoProto()
    logits.CopyFrom(graph.output[0])
    logits.name = last.input[0]
    del graph.output[:]
    graph.output.append(logits)
    return [f"The file's own output is a {last.op_type}; the logits before it are served."]


def _classes(model: ModelProto, file: Path) -> int:
    tensor = model.graph.output[0].type.tensor_type
    shape = [dimension.dim_value for dimension in tensor.shape.dim]
    if len(shape) != 2 or not shape[1] or tensor.elem_type != TensorProto.FLOAT:
        kind = TensorProto.DataType.Name(tensor.elem_type).lower()
        raise _refusal(f"{file} gives {kind} {shape}, not float [batch, classes]", "export logits")
    return int(shape[1])


def _refusal(cause: str, remedy: str) -> ConfigurationError:
    return ConfigurationError(_OPTION, cause, remedy)
