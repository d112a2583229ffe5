"""Networks by the names that checkpoints of our training hold: ours, and `timm/NAME`."""

from torch import nn

from senet import networks
from senet.sources import timm_models

TIMM_PREFIX = "timm/"


def build(architecture: str, classes: int) -> nn.Module:
    """Builds a network with fresh weights.

    Args:
        architecture: a name that `senet.networks.build` knows, or `timm/` and one of timm.
        classes: number of outputs.

    Raises:
        ConfigurationError: if timm is not installed, or does not know the name.
        ValueError: if the name is none of ours.
    """
    if architecture.startswith(TIMM_PREFIX):
        return timm_models.build(architecture.removeprefix(TIMM_PREFIX), classes)
    return networks.build(architecture, classes)
