"""Weights that a training begins with instead of random ones: fine-tuning, or a second cycle."""

from pathlib import Path

from torch import nn

from app.contract.errors import ConfigurationError
from app.contract.manifest import Label
from senet import checkpoint
from senet.training.options import TrainingOptions

# As in the published files, both kinds of network name their last layer so.
_CLASSIFIER = "last_linear."


def start(network: nn.Module, options: TrainingOptions, labels: tuple[Label, ...]) -> str:
    """Loads `options.start_from` into a fresh network.

    The weights of a checkpoint with the same classes in the same order are taken whole; of one
    with others, all but the classifier's, which stay random.

    Args:
        network: the network of `options.architecture`, changed in place.
        options: how to train.
        labels: the classes to train.

    Returns:
        The weights' provenance; empty if the training starts at random.

    Raises:
        ConfigurationError: if the file is missing, damaged or of another architecture.
    """
    if options.start_from is None:
        return ""
    path = Path(options.start_from)
    given = checkpoint.load(path)
    if given.architecture != options.architecture:
        raise ConfigurationError(
            "--start-from",
            f"{path} holds {given.architecture}, but --architecture is {options.architecture}",
            "give a checkpoint of that architecture",
        )
    weights = dict(given.weights)
    if [label.id for label in given.labels] != [label.id for label in labels]:
        fresh = network.state_dict()
        weights |= {name: fresh[name] for name in fresh if name.startswith(_CLASSIFIER)}
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise ConfigurationError(
            "--start-from", f"{path} does not fit {options.architecture}", "give another"
        ) from error
    return given.provenance
