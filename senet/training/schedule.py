"""What changes over a training, as pure functions of the position: no state to save."""

import math


def learning_rate(step: int, steps: int, peak: float) -> float:
    """Linear warm-up over the first twentieth, then a half cosine to 0 (Loshchilov 2017).

    Args:
        step: optimiser step, from 0.
        steps: steps of the whole training.
        peak: the largest value.
    """
    warm_up = max(1, steps // 20)
    if step < warm_up:
        return peak * (step + 1) / warm_up
    return peak * (1 + math.cos(math.pi * (step - warm_up) / (steps - warm_up))) / 2


def image_size(epoch: int, epochs: int, size: int) -> int:
    """Side in pixels of the training crops: 5/8, then 13/16, then all of `size`.

    Small images first cost less and lose nothing (Tan and Le 2021, "EfficientNetV2", section 4).
    """
    position = epoch / epochs
    share = 0.625 if position < 0.4 else 0.8125 if position < 0.75 else 1.0
    return round(size * share)


def mixes(epoch: int, epochs: int) -> bool:
    """Whether images are mixed: the last 15 % of the epochs see them as they will be served."""
    return epoch < 0.85 * epochs
