"""What moves the weights: AdamW, or SGD with AdamW for the gates alone."""

from typing import Any, Protocol

import torch
from torch import nn

from senet.se import SqueezeExcitation
from senet.training.options import TrainingOptions

_GATES_OF_TIMM = frozenset({"SqueezeExcite", "SEModule", "EffectiveSEModule"})
_SHARE = "share"


class Optimizer(Protocol):
    """What a training needs of `torch.optim.Optimizer`."""

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """The groups of parameters, each with its learning rate `lr`."""
        ...

    def step(self) -> object:
        """Moves the weights."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """All that a resume needs."""
        ...

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Goes on from a state."""
        ...


class SgdWithAdamGates:
    """SGD for the body of a network, AdamW for its SE blocks.

    A gate's gradient is small, and its two layers have no normalisation that would make up for it:
    at SGD's rate gates hardly learn.

    Args:
        body: moves all but the SE blocks.
        gates: moves the SE blocks.
    """

    def __init__(self, body: torch.optim.SGD, gates: torch.optim.AdamW) -> None:
        self._body = body
        self._gates = gates

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """See `Optimizer`."""
        return [*self._body.param_groups, *self._gates.param_groups]

    def step(self) -> None:
        """See `Optimizer`."""
        self._body.step()
        self._gates.step()

    def state_dict(self) -> dict[str, Any]:
        """See `Optimizer`."""
        return {"body": self._body.state_dict(), "gates": self._gates.state_dict()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """See `Optimizer`."""
        self._body.load_state_dict(state_dict["body"])
        self._gates.load_state_dict(state_dict["gates"])


def optimizer(network: nn.Module, options: TrainingOptions) -> Optimizer:
    """The optimiser that the options name, over a network's parameters."""
    # A convolution before a normalisation works the same at any scale, so decay only sets its
    # effective learning rate. A gate has no normalisation: decay would pull it to a constant.
    gates = [
        parameter
        for module in network.modules()
        if isinstance(module, SqueezeExcitation) or type(module).__name__ in _GATES_OF_TIMM
        for parameter in module.parameters()
    ]
    kept = {id(parameter) for parameter in gates}
    body = [parameter for parameter in network.parameters() if id(parameter) not in kept]
    decayed = {
        "params": [weight for weight in body if weight.ndim > 1],
        "weight_decay": options.weight_decay,
    }
    vectors = [weight for weight in body if weight.ndim <= 1]
    rate = options.learning_rate
    if options.optimizer == "adamw" or not gates:
        others = {"params": [*vectors, *gates], "weight_decay": 0.0}
        if options.optimizer == "adamw":
            return torch.optim.AdamW([decayed, others], lr=rate)
        return torch.optim.SGD([decayed, others], lr=rate, momentum=0.9, nesterov=True)
    own = {"params": gates, "weight_decay": 0.0, _SHARE: options.gate_learning_rate / rate}
    others = {"params": vectors, "weight_decay": 0.0}
    return SgdWithAdamGates(
        torch.optim.SGD([decayed, others], lr=rate, momentum=0.9, nesterov=True),
        torch.optim.AdamW([own], lr=options.gate_learning_rate),
    )


def set_learning_rate(target: Optimizer, rate: float) -> None:
    """Sets the rate of the body's weights, and that of the gates in proportion."""
    for group in target.param_groups:
        group["lr"] = rate * group.get(_SHARE, 1.0)
