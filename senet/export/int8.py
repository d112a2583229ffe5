"""fp32 -> int8 in QDQ form, calibrated on training photos.

The trunk is quantised, the scaling of its SE blocks included. Squeeze and excitation themselves
stay fp32: they compute little, and measured faster that way for single images, at no loss for
batches (docs/export.md). So do normalisation and heads: the graph's input is still uint8 pixels
and its outputs are still float32.
"""

import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

import onnx
from onnx import ModelProto
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)

from senet.export.onnx_file import save, strip
from senet.export.quiet import quiet
from senet.export.regions import regions
from senet.export.runtime import INPUT, Images

Layout = Literal["u8s8", "s8s8"]


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
    parts = regions(model)
    excluded = parts.normalisation | parts.gates | parts.heads
    signed = layout == "s8s8"
    with tempfile.TemporaryDirectory() as directory, quiet("root"):
        # ONNX Runtime's tool works on files.
        source, target = Path(directory) / "fp32.onnx", Path(directory) / "int8.onnx"
        save(model, source)
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
