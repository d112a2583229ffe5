"""How near class activation maps are to the logits that they explain."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from app.contract.manifest import Precision
from senet.export.runtime import CAM, LOGITS, Images, Outputs, Run


def map_errors(runs: Mapping[Precision, Run], photos: Images) -> dict[Precision, float]:
    """Compares each map's mean over its positions, plus the classifier's bias, with the logit.

    In exact arithmetic they are equal (Zhou et al. 2016, section 2).

    Args:
        runs: the variants with all their outputs; fp32 among them.
        photos: uint8 [n, height, width, 3].

    Returns:
        The largest difference of each variant; empty for a network without maps.
    """
    outputs = {precision: run(photos) for precision, run in runs.items()}
    if CAM not in outputs["fp32"]:
        return {}
    bias = _without_bias(outputs["fp32"]).mean(axis=0)
    return {
        precision: float(np.abs(_without_bias(given) - bias).max())
        for precision, given in outputs.items()
    }


def _without_bias(outputs: Outputs) -> NDArray[np.float32]:
    """What the logits [n, classes] have beyond the means of their maps."""
    difference: NDArray[np.float32] = outputs[LOGITS] - outputs[CAM].mean((2, 3))
    return difference
