"""fp32 -> int8 in QDQ form, calibrated on training photos.

The trunk is quantised, with squeeze and scale of its SE blocks, and so is the class activation
map. Excitation stays fp32: it computes next to nothing, and sets the gate of a whole channel. So
do normalisation and the other heads: the graph's input is still uint8 pixels and its outputs are
still float32.
"""

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Literal

import onnx
import onnxruntime
from onnx import ModelProto, NodeProto, TensorProto, numpy_helper
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)

from senet.export.onnx_file import save, strip
from senet.export.quiet import quiet
from senet.export.regions import Regions, regions
from senet.export.runtime import CAM, INPUT, Images

Layout = Literal["u8s8", "s8s8"]

_ERRORS = 3
# The only mean over space for which ONNX Runtime has an int8 kernel.
_POOL = "GlobalAveragePool"


class _Batches(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime has no types
    """Feeds batches of photos to ONNX Runtime's calibration."""

    def __init__(self, batches: Iterable[Images]) -> None:
        self._batches: Iterator[Images] = iter(batches)

    def get_next(self) -> dict[str, Images] | None:
        batch = next(self._batches, None)
        return None if batch is None else {INPUT: batch}


def quantise(model: ModelProto, batches: Iterable[Images], *, layout: Layout) -> ModelProto:
    """An int8 copy of `model`.

    Weights are signed and scaled per output channel; activations are scaled per tensor by the
    range that the calibration photos reach.

    Args:
        model: the fp32 model.
        batches: calibration photos, uint8 [n, height, width, 3] each.
        layout: "u8s8", unsigned activations, which CPUs multiply fastest (AVX-512 VNNI);
            "s8s8", symmetric signed activations, which TensorRT asks for.
    """
    prepared = ModelProto()
    prepared.CopyFrom(model)
    excluded = _prepare(prepared, regions(prepared))
    signed = layout == "s8s8"
    with tempfile.TemporaryDirectory() as directory, quiet("root"):
        # It opens sessions of its own, whose warnings tell the user nothing to act on.
        onnxruntime.set_default_logger_severity(_ERRORS)
        # ONNX Runtime's tool works on files.
        source, target = Path(directory) / "fp32.onnx", Path(directory) / "int8.onnx"
        save(prepared, source)
        quantize_static(
            source,
            target,
            _Batches(batches),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            reduce_range=False,
            activation_type=QuantType.QInt8 if signed else QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=sorted(excluded),
            calibrate_method=CalibrationMethod.MinMax,
            # TensorRT's networks take no int32 bias, and symmetric scales only.
            extra_options={"ActivationSymmetric": signed, "QuantizeBias": not signed},
        )
        quantised: ModelProto = onnx.load(target)
    strip(quantised)
    return quantised


def _prepare(model: ModelProto, parts: Regions) -> frozenset[str]:
    """Writes squeezes in place as ONNX Runtime has them in int8.

    Returns:
        the names of the nodes that stay fp32.
    """
    nodes = {node.name: node for node in model.graph.node}
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    squeezes = {name for name in parts.gates if _is_pool(nodes[name], constants)}
    for name in squeezes:
        node = nodes[name]
        node.op_type = _POOL
        del node.input[1:]
        del node.attribute[:]
    maps = {node.name for node in model.graph.node if CAM in node.output}
    return (parts.normalisation | parts.gates | parts.heads) - squeezes - maps


def _is_pool(node: NodeProto, constants: Mapping[str, TensorProto]) -> bool:
    """Whether a node averages height and width, and keeps them as dimensions of one."""
    if node.op_type == _POOL:
        return True
    if node.op_type != "ReduceMean" or len(node.input) < 2 or node.input[1] not in constants:
        return False
    axes = {int(axis) % 4 for axis in numpy_helper.to_array(constants[node.input[1]])}
    kept = {attribute.name: attribute.i for attribute in node.attribute}.get("keepdims", 1)
    return axes == {2, 3} and kept == 1
