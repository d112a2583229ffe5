"""Running the ONNX file of a served graph; needs no torch."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from app.contract.signature import NAMES

INPUT = NAMES["image"]
LOGITS, EMBEDDING, CAM = NAMES["logits"], NAMES["embedding"], NAMES["class_activation_map"]
Images = NDArray[np.uint8]
Outputs = dict[str, NDArray[np.float32]]
Run = Callable[[Images], Outputs]
"""uint8 [batch, height, width, 3] -> some or all of the outputs, by name."""


def onnx_runner(
    model: Path | bytes,
    outputs: Sequence[str] | None = None,
    *,
    image: str = INPUT,
    threads: int = 0,
) -> Run:
    """Runs an ONNX file on the CPU.

    Args:
        model: the file, or its content.
        outputs: the names of the outputs to give; None for all that it has.
        image: the name of the input.
        threads: of one run; 0 lets ONNX Runtime take one per core.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    names = list(outputs or (output.name for output in session.get_outputs()))

    def run(images: Images) -> Outputs:
        return dict(zip(names, session.run(names, {image: images}), strict=True))

    return run
