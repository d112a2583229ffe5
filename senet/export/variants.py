"""A variant: one ONNX file of the version, on its way into the manifest."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from app.repository.manifest import Accuracy, Parity, Precision, Variant


def file_name(precision: Precision) -> str:
    """The name of a precision's file in the version's directory."""
    return f"model.{precision}.onnx"


@dataclass(frozen=True)
class Candidate:
    """An ONNX file that was written and waits for its measurements.

    Attributes:
        precision: what it computes in.
        path: the file.
        opset: version of the ONNX operators in it.
    """

    precision: Precision
    path: Path
    opset: int

    def accept(self, parity: Parity, accuracy: Accuracy | None) -> Variant:
        """The manifest's entry."""
        digest = hashlib.sha256(self.path.read_bytes()).hexdigest()
        return Variant(
            precision=self.precision,
            file=self.path.name,
            sha256=digest,
            opset=self.opset,
            parity=parity,
            accuracy=accuracy,
        )
