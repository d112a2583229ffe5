"""The ONNX files of an export: written, not yet measured."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from onnx import ModelProto

from app.contract.manifest import Precision
from senet.export import fp16, int8, onnx_file
from senet.export.order import Order
from senet.export.photos import read

_QUANTISATION_PHOTOS = 512
_BATCH = 16


@dataclass(frozen=True)
class Candidate:
    """An ONNX file that waits for its measurements.

    Attributes:
        precision: what it computes in.
        path: the file.
        opset: version of the ONNX operators in it.
        operators: how many nodes of each operator it has.
    """

    precision: Precision
    path: Path
    opset: int
    operators: Mapping[str, int]

    def sha256(self) -> str:
        """The file's digest, in hex."""
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()


def write_fp32(model: ModelProto, directory: Path) -> Candidate:
    """Writes the model that the others are made from."""
    return _write(model, "fp32", directory)


def write_reduced(order: Order, model: ModelProto, directory: Path) -> list[Candidate]:
    """Writes the order's other variants of the fp32 `model`."""
    written: list[Candidate] = []
    if "fp16" in order.precisions:
        written.append(_write(fp16.to_fp16(model), "fp16", directory))
    if "int8" in order.precisions and order.quantisation is not None:
        batches = read(
            order.quantisation.spread(_QUANTISATION_PHOTOS),
            order.source.preprocessing,
            batch_size=_BATCH,
            progress="int8 ranges" if order.progress else None,
        )
        quantised = int8.quantise(model, batches, layout=order.int8_layout)
        written.append(_write(quantised, "int8", directory))
    return written


def _write(model: ModelProto, precision: Precision, directory: Path) -> Candidate:
    path = directory / f"model.{precision}.onnx"
    onnx_file.save(model, path)
    return Candidate(precision, path, onnx_file.opset(model), onnx_file.operators(model))
