"""Weights that a training begins with instead of random ones: fine-tuning, or a second cycle."""

from dataclasses import replace
from pathlib import Path

from torch import Tensor, nn

from app.contract.errors import ConfigurationError
from app.contract.manifest import Label
from senet import checkpoint
from senet.sources.weights import read_weights
from senet.training.options import TrainingOptions
from senet.training.phases import classifier_of

# What a folder of the Hugging Face hub holds its weights in.
_HUB_FILE = "model.safetensors"


def start(network: nn.Module, options: TrainingOptions, labels: tuple[Label, ...]) -> str:
    """Loads `options.start_from` into a fresh network.

    The weights of a checkpoint with the same classes in the same order are taken whole; of one
    with others, and of files that only hold weights, all but the classifier's, which stay random.

    Args:
        network: the network of `options.architecture`, changed in place.
        options: how to train.
        labels: the classes to train.

    Returns:
        The weights' provenance; empty if the training starts at random.

    Raises:
        ConfigurationError: if the file is missing, damaged or of another architecture, or was
            trained with another normalisation.
    """
    if options.start_from is None:
        return ""
    path = Path(options.start_from)
    if path.is_dir():
        path /= _HUB_FILE
    try:
        given = checkpoint.load(path)
    except ConfigurationError as not_ours:
        return _published(network, path, options, not_ours)
    if given.architecture != options.architecture:
        raise _refusal(
            f"{path} holds {given.architecture}, but --architecture is {options.architecture}",
            "give a checkpoint of that architecture",
        )
    weights = dict(given.weights)
    if [label.id for label in given.labels] != [label.id for label in labels]:
        weights |= _classifier(network)
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise _refusal(f"{path} does not fit {options.architecture}", "give another") from error
    _refuse_other_normalisation(
        options, given.preprocessing.mean, given.preprocessing.std, "the checkpoint was trained"
    )
    return given.provenance


def _published(
    network: nn.Module, path: Path, options: TrainingOptions, not_ours: ConfigurationError
) -> str:
    """Loads all but the classifier of a file that holds weights without classes."""
    try:
        weights = read_weights(path).named_as_in(network)
        fresh = _classifier(network)
        body = {name: value for name, value in weights.state.items() if name not in fresh}
        replace(weights, state={**body, **fresh}).load_into(network, options.architecture)
    except ConfigurationError as error:
        if "is not a file" in error.cause:
            error = not_ours
        raise _refusal(error.cause, error.remedy) from error
    means = [m.running_mean for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    folded = bool(means) and not any(mean is not None and mean.any() for mean in means)
    if folded and not options.frozen_statistics:
        raise ConfigurationError(
            "--frozen-statistics",
            f"every mean in the normalisations of {path} is 0: they were folded into convolutions,"
            " and normalising by the batch would undo the weights",
            "give it",
        )
    stated = getattr(network, "pretrained_cfg", None) or {}
    if "mean" in stated:
        _refuse_other_normalisation(
            options, tuple(stated["mean"]), tuple(stated["std"]), "timm says they were trained"
        )
    return str(weights)


def _classifier(network: nn.Module) -> dict[str, Tensor]:
    """The weights of the last layer, as they are."""
    prefix = f"{classifier_of(network)}."
    return {name: value for name, value in network.state_dict().items() if name.startswith(prefix)}


def _refuse_other_normalisation(
    options: TrainingOptions, mean: tuple[float, ...], std: tuple[float, ...], who: str
) -> None:
    if mean != options.mean or std != options.std:
        raise ConfigurationError(
            "--mean",
            f"{who} with mean {_listed(mean)} and std {_listed(std)}",
            f"give --mean {_listed(mean)} --std {_listed(std)}",
        )


def _listed(values: tuple[float, ...]) -> str:
    return ",".join(f"{value:g}" for value in values)


def _refusal(cause: str, remedy: str) -> ConfigurationError:
    return ConfigurationError("--start-from", cause, remedy)
