"""Does the ONNX file say what PyTorch says, at every batch size?"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from app.contract.errors import ConfigurationError
from app.contract.manifest import Parity
from app.contract.parity import compare
from senet.export.runtime import LOGITS, Images, Outputs, Run

BATCH_SIZES = (1, 7)
MAX_ABS_LOGIT_DIFF = 1e-3
_COUPLING = 0.01
_REMEDY = "nothing was written; look for operators that ONNX Runtime computes otherwise"


def verify(
    source_run: Run, onnx_run: Run, photos: Images, reference: str = "PyTorch fp32"
) -> Parity:
    """Compares all outputs on real photos at batch sizes 1 and 7.

    Args:
        source_run: the source network.
        onnx_run: the exported file.
        photos: uint8 [n, height, width, 3], at least 7.
        reference: what to call the source.

    Returns:
        The parity of the logits, over all batch sizes.

    Raises:
        ConfigurationError: if the source's answer for a photo depends on its batch, or ONNX
            Runtime's logits differ by more than 1e-3, or a top-1 class differs, or embedding
            or cam differ.
    """
    alone = _run(source_run, photos, 1)
    together = _run(source_run, photos, max(BATCH_SIZES))
    spread = _difference(alone[LOGITS], together[LOGITS])
    # Kernels for other batch sizes round otherwise; a real dependence moves logits much further.
    rounding = max(MAX_ABS_LOGIT_DIFF, _COUPLING * float(np.abs(alone[LOGITS]).max()))
    if not spread <= rounding:
        raise ConfigurationError(
            "--checkpoint",
            f"the network's logits for a photo change by {spread:.3g} with its batch-mates",
            "export a network in eval mode whose images do not depend on each other",
        )
    found = [_accept(alone, _run(onnx_run, photos, size), size, reference) for size in BATCH_SIZES]
    return max(found, key=lambda parity: parity.max_abs_logit_diff)


def refuse_difference(parity: Parity, where: str) -> None:
    """Raises ConfigurationError if logits differ by more than 1e-3 or any top-1 class differs."""
    if parity.max_abs_logit_diff <= MAX_ABS_LOGIT_DIFF and parity.top1_agreement == 1:
        return
    raise ConfigurationError(
        "--checkpoint",
        f"{where} ONNX Runtime's logits differ from {parity.reference}'s by up to"
        f" {parity.max_abs_logit_diff:.3g} (allowed {MAX_ABS_LOGIT_DIFF:g}) and"
        f" {1 - parity.top1_agreement:.2%} of the top-1 classes differ",
        _REMEDY,
    )


def _accept(expected: Outputs, actual: Outputs, size: int, reference: str) -> Parity:
    parity = compare(reference, expected[LOGITS], actual[LOGITS])
    refuse_difference(parity, f"at batch size {size}")
    for name in sorted(expected.keys() - {LOGITS}, reverse=True):
        if not np.allclose(expected[name], actual[name], rtol=1e-3, atol=MAX_ABS_LOGIT_DIFF):
            raise ConfigurationError(
                "--checkpoint",
                f"at batch size {size} ONNX Runtime's {name} differs from PyTorch's by up to"
                f" {_difference(expected[name], actual[name]):.3g}",
                _REMEDY,
            )
    return parity


def _run(run: Run, photos: Images, size: int) -> Outputs:
    batches = [run(batch) for batch in _batches(photos, size)]
    return {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}


def _batches(photos: Images, size: int) -> Iterator[Images]:
    for start in range(0, len(photos), size):
        yield photos[start : start + size]


def _difference(expected: NDArray[np.float32], actual: NDArray[np.float32]) -> float:
    return float(np.abs(expected - actual).max())
