"""Fine-tuning in two phases: the new last layer first, then every weight.

A layer with random weights gives the others random gradients. While it learns alone, the rest
stays as it was trained, the statistics of its normalisations included.
"""

from torch import nn

from senet.training import schedule
from senet.training.options import TrainingOptions

# As in the published files, our networks name their last layer so.
_OURS = "last_linear"


def classifier_of(network: nn.Module) -> str:
    """The name of a network's last layer; timm's networks say it themselves."""
    stated = getattr(network, "pretrained_cfg", None) or {}
    return str(stated.get("classifier") or _OURS)


def prepare(network: nn.Module, *, head_only: bool, frozen_statistics: bool) -> None:
    """Sets a network for a step: what is trained, and in which mode it computes.

    Args:
        network: changed in place.
        head_only: whether the last layer learns alone.
        frozen_statistics: whether normalisations keep their means and variances.
    """
    classifier = classifier_of(network)
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(not head_only or name.startswith(f"{classifier}."))
    network.train(not head_only)
    if head_only:
        network.get_submodule(classifier).train()
    if frozen_statistics:
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()


def learning_rate(options: TrainingOptions, steps: int, done: int) -> float:
    """Of an optimiser step.

    Args:
        options: the training's.
        steps: in an epoch.
        done: optimiser steps before it.
    """
    head = options.head_epochs * steps
    if done < head:
        return options.head_learning_rate
    return schedule.learning_rate(done - head, options.epochs * steps - head, options.learning_rate)
