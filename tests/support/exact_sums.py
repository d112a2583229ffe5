"""Runs int8 files with sums that do not overflow, on every processor."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray


def run_exactly(
    model: Path, images: NDArray[np.uint8], outputs: Sequence[str]
) -> dict[str, NDArray[np.float32]]:
    """The outputs of a file, by name.

    Processors without VNNI add pairs of int8 products in 16 bits, and some sums overflow. A test
    of how well a file was quantised must not depend on that.
    """
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.x64quantprecision", "1")
    session = onnxruntime.InferenceSession(model, options)
    return dict(zip(outputs, session.run(list(outputs), {"images": images}), strict=True))
