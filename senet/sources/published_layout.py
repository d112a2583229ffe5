"""Published SENet weights in our own parameter names (those of Cadene's PyTorch port)."""

from pathlib import Path
from types import MappingProxyType

import torch

from app.contract.errors import ConfigurationError
from senet import networks
from senet.sources.loaded import Loaded
from senet.sources.weights import read_weights

# How the SENet authors evaluated them: the central 224 x 224 pixels of an image whose shorter
# side is 256 (paper, section 5.1), normalised as the PyTorch port was.
_PREPROCESSING = MappingProxyType(
    {
        "resize_shorter_side": 256,
        "crop_height": 224,
        "crop_width": 224,
        "interpolation": "bilinear",
        "mean": (0.485, 0.456, 0.406),
        "std": (0.229, 0.224, 0.225),
    }
)
_CLASSIFIER = "last_linear.weight"


def load(architecture: str, file: Path) -> Loaded:
    """Loads a file of weights strictly into the named network.

    Args:
        architecture: a name that `senet.networks.build` knows.
        file: the weights; their classifier says the number of classes.

    Raises:
        ConfigurationError: if the name is not known or the file is of another network.
    """
    if architecture not in networks.names():
        raise ConfigurationError(
            "--architecture",
            f"unknown network {architecture!r}",
            f"give one of {', '.join(networks.names())}",
        )
    weights = read_weights(file)
    # Without values: only the names of its tensors count.
    with torch.device("meta"):
        outline = networks.build(architecture)
    weights = weights.named_as_in(outline)
    classifier = weights.state.get(_CLASSIFIER)
    classes = 1000 if classifier is None or not classifier.dim() else len(classifier)
    network = networks.build(architecture, classes)
    weights.load_into(network, architecture)
    return Loaded(
        network.eval(),
        architecture,
        str(weights),
        preprocessing=_PREPROCESSING,
    )
