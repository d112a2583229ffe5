"""Networks that have learned nothing, or are shown photos as they never saw them, are refused."""

import numpy as np
from numpy.typing import NDArray

from app.contract.errors import ConfigurationError
from senet.export.chance import Skill

# Half the range of a logit over photos. Its fiftieth part is still a difference that fails parity.
_LEAST_VARIATION = 0.05
_OPTION = "--allow-untrained"
_REMEDY = (
    "give trained weights, the mean and std of their training, and photos that differ; or, to"
    " measure speed, {}"
)


def variation(logits: NDArray[np.float32]) -> float:
    """The least error that any constant answer has for logits [photos, classes], at its worst."""
    return float(np.ptp(logits, axis=0).max()) / 2


def refuse_constant(logits: NDArray[np.float32]) -> None:
    """Raises ConfigurationError if logits [photos, classes] hardly depend on the photo."""
    varies = variation(logits)
    if not varies >= _LEAST_VARIATION:
        raise ConfigurationError(
            _OPTION,
            f"no logit varies by more than {2 * varies:.2g} over {len(logits)} photos (at least"
            f" {2 * _LEAST_VARIATION:g} is needed): the network hardly sees them",
            _REMEDY.format(_OPTION),
        )


def refuse_chance(skill: Skill | None) -> None:
    """Raises ConfigurationError if accuracy is what chance gives."""
    if skill is not None and not skill.shown:
        raise ConfigurationError(
            _OPTION,
            f"top-1 is {skill.top1:.2%} on {skill.photos} photos, and answers that had nothing to"
            f" do with them would reach {skill.by_chance:.2%}",
            _REMEDY.format(_OPTION) + ", and see whether the labels are in the logits' order",
        )
